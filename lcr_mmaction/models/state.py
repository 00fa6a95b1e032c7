"""What the model carries from frame to frame, and pure functions on it.

An :class:`LCRState` is nested named tuples of tensors whose first axis is the
stream. Nothing here changes a state in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor


class BlockState(NamedTuple):
    """What a block carries from frame to frame; zeros before the first one.

    Attributes:
        hidden: H, ``[N, L, C]``.
        memory: C, ``[N, L, C]``.
        shifted: What the last frame's patch tokens give to the token shift of the
            next, ``[N, patches, C]``.
    """

    hidden: Tensor
    memory: Tensor
    shifted: Tensor


class LCRState(NamedTuple):
    """All that the backbone remembers between two frames, as plain tensors.

    Attributes:
        maps: What the layers of a causal stem keep of the last frame.
        blocks: State of every block.
    """

    maps: tuple[Tensor, ...]
    blocks: tuple[BlockState, ...]


def map_state(function: Callable[..., Tensor], *states: LCRState) -> LCRState:
    """Apply a function to corresponding tensors of states.

    Args:
        function: Takes one tensor of each state, returns one.
        *states: At least one; all with the same number of blocks.
    """
    maps = tuple(
        function(*same) for same in zip(*(state.maps for state in states), strict=True)
    )
    blocks = tuple(
        BlockState(*(function(*tensors) for tensors in zip(*same, strict=True)))
        for same in zip(*(state.blocks for state in states), strict=True)
    )
    return LCRState(maps, blocks)


def state_tensors(state: LCRState) -> dict[str, Tensor]:
    """Name every tensor: ``maps.0``..., ``blocks.0.hidden``..."""
    tensors = {f"maps.{i}": tensor for i, tensor in enumerate(state.maps)}
    for i, block in enumerate(state.blocks):
        for name, tensor in block._asdict().items():
            tensors[f"blocks.{i}.{name}"] = tensor
    return tensors


def state_from_tensors(tensors: Mapping[str, Tensor]) -> LCRState:
    """Undo :func:`state_tensors`.

    Raises:
        ValueError: A tensor is missing or has an unknown name.
    """
    depth = sum(name.endswith(".hidden") for name in tensors)
    num_maps = sum(name.startswith("maps.") for name in tensors)
    wanted = {f"maps.{i}" for i in range(num_maps)}
    wanted |= {
        f"blocks.{i}.{field}" for i in range(depth) for field in BlockState._fields
    }
    if set(tensors) != wanted:
        raise ValueError(
            "not the tensors of an LCR state: missing "
            f"{sorted(wanted - set(tensors))}, unknown {sorted(set(tensors) - wanted)}"
        )
    blocks = tuple(
        BlockState(*(tensors[f"blocks.{i}.{field}"] for field in BlockState._fields))
        for i in range(depth)
    )
    maps = tuple(tensors[f"maps.{i}"] for i in range(num_maps))
    return LCRState(maps, blocks)


def save_state(state: LCRState, path: str | Path) -> None:
    """Write a state as a dict of tensors that ``torch.load`` reads safely."""
    # A clone keeps a slice of a batch from dragging the batch's storage along.
    tensors = {name: x.detach().clone() for name, x in state_tensors(state).items()}
    torch.save(tensors, path)


def load_state(path: str | Path, device: torch.device | str = "cpu") -> LCRState:
    """Read a state that :func:`save_state` wrote.

    Raises:
        ValueError: The file holds something else.
    """
    return state_from_tensors(torch.load(path, map_location=device, weights_only=True))


def state_to(
    state: LCRState,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> LCRState:
    """Move a state to a device, a dtype, or both."""
    return map_state(lambda x: x.to(device=device, dtype=dtype), state)


def num_streams(state: LCRState) -> int:
    """Number of streams N in a state."""
    return state.blocks[0].hidden.shape[0]


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
    """Fade the recurrent part, H and C, by a factor; one, or one a stream ``[N]``.

    What stem and token shift keep of the last frame stays: it is what the camera
    saw, and does not accumulate.
    """
    memory = state.blocks[0].memory
    factor = torch.as_tensor(factor, dtype=memory.dtype, device=memory.device)
    factor = factor.expand(num_streams(state))
    blocks = tuple(
        block._replace(
            hidden=block.hidden * _as_column(factor, block.hidden),
            memory=block.memory * _as_column(factor, block.memory),
        )
        for block in state.blocks
    )
    return state._replace(blocks=blocks)


def state_bytes(state: LCRState) -> int:
    """Size of a state in bytes, all streams together."""
    return sum(x.numel() * x.element_size() for x in state_tensors(state).values())


def _as_column(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))
