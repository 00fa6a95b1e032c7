"""The clip model and the step as plain graphs, for export out of Python.

Both take uint8 frames, channels last, and normalise them themselves: the only
preprocessing left outside is the geometry and the edge map.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import mixers
from ..layers.token_grid import TokenGrid
from .state import state_from_tensors, state_tensors


class ClipGraph(nn.Module):
    """Frames of a whole clip in, probabilities out.

    Args:
        model: A recognizer with ``LCRBackbone`` and ``LCRHead``.

    Raises:
        ValueError: Its preprocessor swaps channels.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        if preprocessor.to_rgb:
            raise ValueError(
                "export expects RGB frames: set to_rgb=False in data_preprocessor"
            )
        self.backbone, self.head = model.backbone, model.cls_head
        zero, one = torch.zeros(1), torch.ones(1)
        mean = getattr(preprocessor, "mean", zero).detach().flatten()
        std = getattr(preprocessor, "std", one).detach().flatten()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def normalise(self, frames: Tensor) -> Tensor:
        """Normalise ``[..., C]`` uint8 as the model's preprocessor does."""
        return (frames.float() - self.mean) / self.std

    def forward(self, clip: Tensor) -> Tensor:
        """Score clips ``[N, T, H, W, C]`` uint8: ``[N, num_classes]``."""
        frames = self.normalise(clip).permute(0, 1, 4, 2, 3)
        height, width = frames.shape[-2:]
        state = self.backbone.init_state(frames.shape[0], (height, width))
        patch = self.backbone.patch_size
        # The public forward looks for masked patches, which a graph cannot branch
        # on and which do not occur outside of training.
        grid = TokenGrid(height // patch, width // patch)
        features, _ = self.backbone._run(frames, state, grid)
        return self.head(features).softmax(dim=-1)


class StepGraph(ClipGraph):
    """One frame and the state in, that frame's logits and the next state out.

    Args:
        model: As for ClipGraph.
        batch_size: Streams N.
        size: ``(height, width)`` of the frames; the backbone's ``img_size`` if None.
    """

    def __init__(
        self,
        model: nn.Module,
        batch_size: int = 1,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(model)
        state = self.backbone.init_state(batch_size, size)
        # Tracing takes one tensor given twice for one input: clones are distinct.
        self.initial = {k: x.clone() for k, x in state_tensors(state).items()}

    @property
    def state_names(self) -> list[str]:
        """Names of the state's tensors, in the order of the arguments."""
        return list(self.initial)

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Read a frame ``[N, H, W, C]`` uint8 of every stream.

        Returns:
            Logits ``[N, num_classes]``, then the state's tensors.
        """
        before = state_from_tensors(dict(zip(self.state_names, state, strict=True)))
        inputs = self.normalise(frame).permute(0, 3, 1, 2)
        feature, after = self.backbone.step(inputs, before)
        logits = self.head(feature)
        # A graph's outputs must not be its inputs: what the options leave
        # unchanged is copied.
        changed = [
            y.clone() if y is x else y
            for x, y in zip(state, state_tensors(after).values(), strict=True)
        ]
        return (logits, *changed)


@contextmanager
def traceable() -> Iterator[None]:
    """Replace the compiled operator by standard ones while exporting."""
    operator = mixers.bi_wkv
    mixers.bi_wkv = traceable_bi_wkv
    try:
        yield
    finally:
        mixers.bi_wkv = operator


def traceable_bi_wkv(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """``bi_wkv`` in standard out-of-place operators, of a fixed number of tokens.

    Divides and conquers as :mod:`lcr_mmaction.ops.chunked` does: at each level of a
    binary tree, tokens of one half meet those of the other over their border.
    Arguments and result as for :func:`lcr_mmaction.ops.bi_wkv`, in float32.
    """
    tokens = int(r.shape[1])
    size, levels = 8, 0
    while size << levels < tokens:
        levels += 1
    length = size << levels

    def by_head(x: Tensor) -> Tensor:
        return F.pad(x.transpose(1, 2), (0, 0, 0, length - tokens))

    static = w.dim() == 2
    r, k, v = by_head(r), by_head(k), by_head(v)
    w = w[None, :, None].expand(1, -1, length, -1) if static else by_head(w)
    bonus = (r * k * u[:, None]).sum(dim=-1, keepdim=True)
    result = _leaves(r, k, v, w, size) + bonus * v
    for _ in range(levels):
        result = result + _border(r, k, v, w, size)
        size *= 2
    return result[:, :, :tokens].transpose(1, 2)


def _leaves(r: Tensor, k: Tensor, v: Tensor, w: Tensor, leaf: int) -> Tensor:
    """Pairs of different tokens within leaves of ``leaf`` tokens."""
    spans, meets = _leaf_masks(leaf)
    r, k, v, w = (x.unflatten(2, (-1, leaf)) for x in (r, k, v, w))
    decay = (spans.to(w) @ w.unsqueeze(3)).exp()
    scores = (r.unsqueeze(3) * decay) @ (k.unsqueeze(3) * decay).transpose(-1, -2)
    scores = (scores * meets.to(w)).sum(dim=3)
    return (scores @ v).flatten(2, 3)


def _border(r: Tensor, k: Tensor, v: Tensor, w: Tensor, size: int) -> Tensor:
    """Pairs of tokens from different halves of nodes of ``2 * size`` tokens."""
    r, k, v, w = (x.unflatten(2, (-1, 2, size)) for x in (r, k, v, w))
    ahead, behind = _border_masks(size)
    # Log-decay from a token to the border: the sum over those in between.
    log_decay = torch.stack(
        [ahead.to(w) @ w[:, :, :, 0], behind.to(w) @ w[:, :, :, 1]], dim=3
    )
    decay = log_decay.exp()
    query, key = r * decay, k * decay
    other_key = torch.stack([key[:, :, :, 1], key[:, :, :, 0]], dim=3)
    other_value = torch.stack([v[:, :, :, 1], v[:, :, :, 0]], dim=3)
    state = other_key.transpose(-1, -2) @ other_value
    return (query @ state).flatten(2, 4)


def _leaf_masks(leaf: int) -> tuple[Tensor, Tensor]:
    """Tokens between x and its border, and pairs parted, at each level of a leaf."""
    spans, meets = [], []
    index = torch.arange(leaf)
    x, j = index[:, None], index[None]
    half = 1
    while half < leaf:
        same = x // half == j // half
        is_right = (x // half) % 2 == 1
        spans.append(same & torch.where(is_right, j < x, j > x))
        meets.append((x // half != j // half) & (x // (2 * half) == j // (2 * half)))
        half *= 2
    return torch.stack(spans), torch.stack(meets)


def _border_masks(size: int) -> tuple[Tensor, Tensor]:
    """Tokens after, and before, each token of a half: ``[size, size]``."""
    index = torch.arange(size)
    return index[None] > index[:, None], index[None] < index[:, None]
