"""What every part of a kind promises, checked on one part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lcr_mmaction.models.cells import Cell
from lcr_mmaction.models.mixers import Mixer
from lcr_mmaction.models.patch_embed import PatchEmbed
from lcr_mmaction.models.token_grid import TokenGrid
from lcr_mmaction.models.token_shift import TokenShift

N, T, HEIGHT, WIDTH, DIM, HEADS = 2, 4, 3, 4, 16, 2
GRID = TokenGrid(HEIGHT, WIDTH)

Inputs = tuple[Tensor, ...]
# Of inputs, a state and times.
Run = Callable[[Inputs, object, Tensor | None], tuple[Inputs, object]]


def stirred(part: nn.Module) -> nn.Module:
    """Move every weight off its start, so that none is idle."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return part.eval()


def randoms(*shapes: tuple[int, ...]) -> Inputs:
    """Random tensors of a fixed seed."""
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def check_recurrent(part: nn.Module, run: Run, inputs: Inputs, blank: object) -> None:
    """Causal, the same in a clip and frame by frame, pure, one stream by itself.

    Args:
        part: The part.
        run: Runs it: inputs ``[N, T, ...]``, a state and times ``[N, T]`` or None, to
            outputs ``[N, T, ...]`` and a state.
        inputs: Of a clip.
        blank: State before the first frame.
    """
    tensors = [*inputs, *pytree.tree_leaves(blank)]
    assert all(x.shape[0] == N and not x.any() for x in pytree.tree_leaves(blank))
    kept = [x.clone() for x in tensors]
    whole, after = run(inputs, blank, None)
    again, _ = run(inputs, blank, None)
    assert pytree.tree_structure(after) == pytree.tree_structure(blank)
    leaves = pytree.tree_leaves(after), pytree.tree_leaves(blank)
    for one, other in zip(*leaves, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
    torch.testing.assert_close(again, whole, atol=0, rtol=0)
    for x, copy in zip(tensors, kept, strict=True):
        assert x.equal(copy), "an argument was changed in place"

    # With the same time between all frames as in training nothing is different.
    timed, _ = run(inputs, blank, torch.ones(N, T))
    torch.testing.assert_close(timed, whole, atol=1e-6, rtol=1e-6)

    uneven = torch.tensor([1.0, 0.25, 3.0, 0.0, 1.0, 1.7, 0.5, 40.0]).reshape(N, T)
    for elapsed in (None, uneven):
        clip, end = run(inputs, blank, elapsed)
        state, frames = blank, []
        for t in range(T):
            now = None if elapsed is None else elapsed[:, t : t + 1]
            out, state = run(tuple(x[:, t : t + 1] for x in inputs), state, now)
            frames.append(out)
        steps = tuple(torch.cat(x, dim=1) for x in zip(*frames, strict=True))
        torch.testing.assert_close(steps, clip, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(state, end, atol=1e-5, rtol=1e-5)

    late = tuple(torch.cat([x[:, :2], x[:, 2:] + 1], dim=1) for x in inputs)
    changed, _ = run(late, blank, None)
    for x, y in zip(changed, whole, strict=True):
        torch.testing.assert_close(x[:, :2], y[:, :2], atol=0, rtol=0)
    assert not changed[0][:, 2:].allclose(whole[0][:, 2:])

    other = tuple(torch.cat([x[:1], x[1:] + 1]) for x in inputs)
    apart, _ = run(other, blank, None)
    torch.testing.assert_close(apart[0][:1], whole[0][:1], atol=1e-6, rtol=1e-5)
    check_gradients(part, *whole)


def check_gradients(part: nn.Module, *outputs: Tensor) -> None:
    """Every weight learns."""
    if not list(part.parameters()):
        return
    part.zero_grad()
    torch.stack([x.square().mean() for x in outputs]).sum().backward()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def check_cell(kind: type[Cell]) -> None:
    """The contract of :class:`Cell`."""
    cell = stirred(kind(DIM))
    shape = (N, T, HEIGHT * WIDTH, DIM)

    def run(
        inputs: Inputs, state: object, elapsed: Tensor | None
    ) -> tuple[Inputs, object]:
        hidden, memory, after = cell(*inputs, state, elapsed)
        return (hidden, memory), after

    blank = cell.init_state(torch.zeros(N, HEIGHT * WIDTH, DIM))
    for x in pytree.tree_leaves(blank):
        assert x.shape[1] == HEIGHT * WIDTH
    (hidden, memory), _ = run(randoms(shape, shape), blank, None)
    assert hidden.shape == memory.shape == shape
    check_recurrent(cell, run, randoms(shape, shape), blank)


def check_token_shift(kind: type[TokenShift]) -> None:
    """The contract of :class:`TokenShift`, with and without hidden patches."""
    shift = stirred(kind(DIM))
    some = torch.tensor([[0, 2, 5, 7, 11], [1, 2, 3, 8, 9]])
    for grid, tokens in ((GRID, HEIGHT * WIDTH), (GRID._replace(keep=some), 5)):

        def run(
            inputs: Inputs, state: object, elapsed: Tensor | None, grid=grid
        ) -> tuple[Inputs, object]:
            shifted, after = shift(*inputs, state, grid, elapsed)
            return (shifted,), after

        inputs = randoms((N, T, tokens, DIM))
        blank = shift.init_state(torch.zeros(N, tokens, DIM))
        assert run(inputs, blank, None)[0][0].shape == inputs[0].shape
        check_recurrent(shift, run, inputs, blank)


def check_patch_embed(kind: type[PatchEmbed]) -> None:
    """The contract of :class:`PatchEmbed`."""
    embed, patch = stirred(kind(3, DIM, 8)), 8

    def run(
        inputs: Inputs, state: object, elapsed: Tensor | None
    ) -> tuple[Inputs, object]:
        tokens, after = embed(*inputs, state, elapsed)
        return (tokens,), after

    size = (HEIGHT * patch, WIDTH * patch)
    inputs, blank = randoms((N, T, 3, *size)), embed.init_state(N, size)
    assert run(inputs, blank, None)[0][0].shape == (N, T, HEIGHT * WIDTH, DIM)
    check_recurrent(embed, run, inputs, blank)


def check_mixer(kind: type[Mixer]) -> None:
    """The contract of :class:`Mixer`."""
    mixer = stirred(kind(DIM, HEADS, DIM // HEADS))
    heads, tokens = (3, 6, HEADS, DIM // HEADS), (3, 6, DIM)
    inputs = randoms(heads, heads, heads, tokens)
    kept = [x.clone() for x in inputs]
    mixed = mixer(*inputs)
    assert mixed.shape == heads and mixed.dtype == torch.float32
    assert mixer(*inputs).equal(mixed)
    assert all(x.equal(copy) for x, copy in zip(inputs, kept, strict=True))
    other = mixer(*(torch.cat([x[:1], x[1:] + 1]) for x in inputs))
    torch.testing.assert_close(other[:1], mixed[:1], atol=1e-6, rtol=1e-5)
    # Every token reaches every other.
    value = inputs[2].clone().requires_grad_()
    for token in (0, 5):
        out = mixer(inputs[0], inputs[1], value, inputs[3])[:, token]
        (reach,) = torch.autograd.grad(out.square().sum(), value, retain_graph=True)
        assert reach.abs().amax(dim=(0, 2, 3)).all()
    check_gradients(mixer, mixed)


def check_edge_method(method: Callable[..., np.ndarray]) -> None:
    """The contract of an edge method."""
    grey = np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8)
    kept = grey.copy()
    edges = method(grey)
    assert edges.shape == grey.shape and edges.dtype == np.uint8
    assert np.array_equal(method(grey), edges) and np.array_equal(grey, kept)
    for value in (0, 128, 255):
        assert not method(np.full((24, 32), value, np.uint8)).any()
