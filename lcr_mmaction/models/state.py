"""What the model carries from frame to frame, and pure functions on it.

An :class:`LCRState` is a pytree of tensors whose first axis is the stream. Nothing here
changes a state in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ..upstream.checkpoints import check_sums

Tree: TypeAlias = Any
"""A tensor, or tuples and dicts of tensors, nested as one likes; ``()`` for nothing."""


class BlockState(NamedTuple):
    """What a block carries from frame to frame; zeros before the first one.

    Attributes:
        memory: The recurrent part, C in most cells: ``[N, L, C]``, or tuples and dicts
            of tensors ``[N, L, ...]``.
        shifted: What the last frame's patch tokens give to the token shift of the
            next, ``[N, patches, C]`` or nothing.
    """

    memory: Tree
    shifted: Tree


class LCRState(NamedTuple):
    """All that the backbone remembers between two frames.

    Attributes:
        maps: What the patch embedding keeps of the last frame.
        blocks: State of every block.
    """

    maps: Tree
    blocks: tuple[BlockState, ...]


def map_state(function: Callable[..., Tensor], *states: LCRState) -> LCRState:
    """Apply a function to corresponding tensors of states.

    Args:
        function: Takes one tensor of each state, returns one.
        *states: At least one; all of one model.
    """
    return pytree.tree_map(function, *states)


def state_tensors(state: LCRState) -> dict[str, Tensor]:
    """Name every tensor by its place: ``maps.0``..., ``blocks.0.memory``..."""
    return {
        ".".join(re.findall(r"\w+", pytree.keystr(path))): tensor
        for path, tensor in pytree.tree_flatten_with_path(state)[0]
    }


def state_from_tensors(tensors: Mapping[str, Tensor], like: LCRState) -> LCRState:
    """Undo :func:`state_tensors`.

    Args:
        tensors: The named tensors.
        like: Any state of the same model, e.g. from ``init_state``.

    Raises:
        ValueError: A tensor is missing or has an unknown name.
    """
    names, spec = list(state_tensors(like)), pytree.tree_structure(like)
    if set(tensors) != set(names):
        raise ValueError(
            "not the tensors of this model's state: missing "
            f"{sorted(set(names) - set(tensors))}, unknown "
            f"{sorted(set(tensors) - set(names))}"
        )
    return pytree.tree_unflatten([tensors[name] for name in names], spec)


def save_state(state: LCRState, path: str | Path) -> None:
    """Write a state as a dict of tensors that ``torch.load`` reads safely."""
    # A clone keeps a slice of a batch from dragging the batch's storage along.
    tensors = {name: x.detach().clone() for name, x in state_tensors(state).items()}
    torch.save(tensors, path)


def load_state(
    path: str | Path, like: LCRState, device: torch.device | str = "cpu"
) -> LCRState:
    """Read a state that :func:`save_state` wrote.

    Args:
        path: The file.
        like: Any state of the same model, e.g. from ``init_state``.
        device: Where to.

    Raises:
        ValueError: The file holds something else.
    """
    try:
        check_sums(str(path))
        tensors = torch.load(path, map_location=device, weights_only=True)
        return state_from_tensors(tensors, like)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # torch raises whatever the damage leads to
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{path} is no state of this model: {reason[0]}") from error


def state_to(
    state: LCRState,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> LCRState:
    """Move a state to a device, a dtype, or both."""
    return map_state(lambda x: x.to(device=device, dtype=dtype), state)


def num_streams(state: LCRState) -> int:
    """Number of streams N in a state; 0 if the model keeps nothing."""
    leaves = pytree.tree_leaves(state)
    return leaves[0].shape[0] if leaves else 0


def cat_states(states: Sequence[LCRState]) -> LCRState:
    """Join the streams of several states into one batch."""
    return map_state(lambda *tensors: torch.cat(tensors), *states)


def split_state(state: LCRState, sizes: Sequence[int] | None = None) -> list[LCRState]:
    """Cut a batch of streams.

    Args:
        state: N streams.
        sizes: Streams in every part, adding up to N; one each if None.

    Raises:
        ValueError: ``sizes`` do not add up to N.
    """
    sizes = [1] * num_streams(state) if sizes is None else list(sizes)
    if sum(sizes) != num_streams(state):
        raise ValueError(
            f"sizes {sizes} add up to {sum(sizes)}, but the state has "
            f"{num_streams(state)} streams"
        )
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        map_state(lambda x, a=start, n=size: x[a : a + n], state)
        for start, size in zip(starts, sizes, strict=True)
    ]


def select_streams(state: LCRState, index: Tensor) -> LCRState:
    """Take streams by index, int64 ``[M]``."""
    return map_state(lambda x: x.index_select(0, index), state)


def put_streams(state: LCRState, index: Tensor, part: LCRState) -> LCRState:
    """Put ``part`` (M streams) where :func:`select_streams` took it from."""
    return map_state(lambda x, y: x.index_copy(0, index, y), state, part)


def reset_streams(state: LCRState, which: Tensor) -> LCRState:
    """Return some streams to before their first frame.

    Args:
        state: N streams.
        which: Boolean ``[N]``, True for those to reset.
    """
    return map_state(lambda x: torch.where(_as_column(which, x), 0.0, x), state)


def decay_streams(state: LCRState, factor: float | Tensor) -> LCRState:
    """Fade the recurrent part by a factor; one, or one a stream ``[N]``.

    What stem and token shift keep of the last frame stays: it is what the camera
    saw, and does not accumulate.
    """
    factors = torch.as_tensor(factor).expand(num_streams(state))

    def fade(x: Tensor) -> Tensor:
        return x * _as_column(factors.to(x), x)

    blocks = tuple(
        block._replace(memory=pytree.tree_map(fade, block.memory))
        for block in state.blocks
    )
    return state._replace(blocks=blocks)


def state_bytes(state: LCRState) -> int:
    """Size of a state in bytes, all streams together."""
    return sum(x.numel() * x.element_size() for x in state_tensors(state).values())


def _as_column(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))
