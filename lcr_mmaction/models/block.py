"""One LCR block: token shift -> CrossRWKV gate -> cell -> channel mix."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .cells import CELLS
from .channel_mix import ChannelMix
from .gate import CrossRWKVGate, GateInputs
from .rope import Rotation
from .state import BlockState
from .token_grid import TokenGrid
from .token_shift import TOKEN_SHIFTS


class BlockContext(NamedTuple):
    """What all blocks share for one clip or frame.

    Attributes:
        grid: Where the patch tokens lie.
        rotation: Rotary positions, or None.
        num_prefix: Class tokens before the patches, 0 or 1.
    """

    grid: TokenGrid
    rotation: Rotation | None
    num_prefix: int


class DropPath(nn.Module):
    """Stochastic depth (arXiv 1603.09382): drop a branch for a whole clip.

    Args:
        rate: Probability of dropping.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop or rescale ``x``, ``[N, ...]``."""
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(keep)
        return x * (mask / keep)


class LCRBlock(nn.Module):
    """LCR block with residual paths across blocks, pre-norm as in Vision-RWKV.

    ``x + H(gate, cell)``, then ``x + channel_mix(norm(x))``. All frames go through
    every layer together; only the sum over time inside the cell takes them in
    turn, and with ``feedback`` the gate too. A stream is a clip of one frame.

    Args:
        dim: Channels C.
        num_heads: Heads of the gate.
        mlp_ratio: Hidden ratio of the channel mix.
        cell: Name in :data:`CELLS`.
        token_shift: Name in :data:`TOKEN_SHIFTS`.
        mixer: Name in :data:`MIXERS`.
        kv_source: Name in :data:`KEY_VALUE_SOURCES`.
        feedback: Whether the gate sees H_{t-1}.
        drop_path: Rate of stochastic depth.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        cell: str,
        token_shift: str,
        mixer: str,
        kv_source: str,
        feedback: bool,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.shift = TOKEN_SHIFTS[token_shift](dim)
        self.gate = CrossRWKVGate(dim, num_heads, mixer, kv_source)
        self.cell = CELLS[cell](dim)
        self.channel_norm = nn.LayerNorm(dim)
        self.channel_mix = ChannelMix(dim, mlp_ratio)
        self.drop_path = DropPath(drop_path)
        self.feedback = feedback and self.cell.recurrent

    def forward(
        self, frames: Tensor, edges: Tensor, state: BlockState, context: BlockContext
    ) -> tuple[Tensor, Tensor, BlockState]:
        """Run the block over a clip (or over one frame, T = 1).

        Args:
            frames: Tokens of the block below, ``[N, T, L, C]``.
            edges: Edge tokens, ``[N, T, L, C]``.
            state: State before the first frame.
            context: Shared by all blocks.

        Returns:
            Tokens ``[N, T, L, C]``, memory C of every frame ``[N, T, L, C]`` and
            the state after the last frame.
        """
        shifted, last = self._shift(self.norm(frames), state.shifted, context)
        inputs = self.gate.prepare(shifted, edges, context.rotation)
        gates = self.cell.gates(edges)
        recur = self._recur_by_frame if self.feedback else self.recur
        hidden, memory = recur(inputs, gates, state, context.rotation)
        after = BlockState(hidden[:, -1], memory[:, -1], last)
        return self._combine(frames, hidden), memory, after

    def recur(
        self,
        inputs: GateInputs,
        gates: tuple[Tensor, Tensor],
        state: BlockState,
        rotation: Rotation | None,
    ) -> tuple[Tensor, Tensor]:
        """The recurrence: from all that the state has no part in to H and C.

        Args:
            inputs: Projections for the gate; of one frame, if it has feedback.
            gates: ``keep`` and ``take`` of the cell, ``[N, T, L, C]``.
            state: State before the first frame.
            rotation: Rotary positions, or None.

        Returns:
            H and C of every frame, ``[N, T, L, C]`` each.
        """
        hidden = state.hidden if self.feedback else None
        gated = self.gate(inputs, hidden, rotation)
        return self.cell(gated, *gates, state.memory)

    def _recur_by_frame(
        self,
        inputs: GateInputs,
        gates: tuple[Tensor, Tensor],
        state: BlockState,
        rotation: Rotation | None,
    ) -> tuple[Tensor, Tensor]:
        all_hidden, all_memory = [], []
        for t in range(inputs.query.shape[1]):
            keep, take = (gate[:, t : t + 1] for gate in gates)
            hidden, memory = self.recur(inputs.frame(t), (keep, take), state, rotation)
            state = BlockState(hidden[:, 0], memory[:, 0], state.shifted)
            all_hidden.append(hidden)
            all_memory.append(memory)
        return torch.cat(all_hidden, dim=1), torch.cat(all_memory, dim=1)

    def _shift(
        self, normed: Tensor, before: Tensor, context: BlockContext
    ) -> tuple[Tensor, Tensor]:
        prefix = context.num_prefix
        if not prefix:
            return self.shift(normed, before, context.grid)
        shifted, last = self.shift(normed[:, :, prefix:], before, context.grid)
        return torch.cat([normed[:, :, :prefix], shifted], dim=2), last

    def _combine(self, frames: Tensor, hidden: Tensor) -> Tensor:
        tokens = frames + self.drop_path(hidden)
        mixed = self.channel_mix(self.channel_norm(tokens))
        return tokens + self.drop_path(mixed)


class PlainLCRBlock(LCRBlock):
    """LCR block read literally: the next block's input is H_t alone.

    ``O_t = H_t``; the channel mix follows it with no path around the cell.
    """

    def _combine(self, frames: Tensor, hidden: Tensor) -> Tensor:
        mixed = self.channel_mix(self.channel_norm(hidden))
        return hidden + self.drop_path(mixed)


BLOCKS: dict[str, type[LCRBlock]] = {"residual": LCRBlock, "plain": PlainLCRBlock}
