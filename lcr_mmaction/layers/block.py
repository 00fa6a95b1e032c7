"""One LCR block: token shift -> CrossRWKV gate -> cell -> channel mix."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .cells import CELLS
from .channel_mix import ChannelMix
from .gate import CrossRWKVGate, GateInputs
from .rope import Rotation
from .token_grid import TokenGrid
from .token_shift import TOKEN_SHIFTS


class BlockState(NamedTuple):
    """What a block carries from frame to frame; zeros before the first one.

    Attributes:
        hidden: H, ``[N, L, C]``.
        memory: C, ``[N, L, C]``.
        shifted: Normalised patch tokens that the token shift looks back at,
            ``[N, patches, C]``.
    """

    hidden: Tensor
    memory: Tensor
    shifted: Tensor


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

    ``x + H(gate, cell)``, then ``x + channel_mix(norm(x))``. Everything that does
    not depend on the state is computed for all frames at once; :meth:`recur` is
    the recurrent step, the same for a clip and for a stream.

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
        normed = self.norm(frames)
        shifted = self._shift(normed, state.shifted, context)
        inputs = self.gate.prepare(shifted, edges, context.rotation)
        gates = self.cell.gates(edges)
        hidden, memory = self._recur_clip(inputs, gates, state, context)
        tokens = self._combine(frames, hidden)
        last = state.shifted
        if self.shift.looks_back:
            last = normed[:, -1, context.num_prefix :]
        after = BlockState(hidden[:, -1], memory[:, -1], last)
        return tokens, memory, after

    def recur(
        self,
        inputs: GateInputs,
        gate: Tensor,
        hidden: Tensor,
        memory: Tensor,
        rotation: Rotation | None,
    ) -> tuple[Tensor, Tensor]:
        """The recurrent step: one frame in, the new hidden state and memory out.

        Args:
            inputs: The frame's projections for the gate.
            gate: The frame's forget gate, ``[N, L, C]``.
            hidden: H_{t-1}, ``[N, L, C]``.
            memory: C_{t-1}, ``[N, L, C]``.
            rotation: Rotary positions, or None.

        Returns:
            H_t and C_t, ``[N, L, C]`` each.
        """
        gated = self.gate(inputs, hidden if self.feedback else None, rotation)
        return self.cell(gated, gate, memory)

    def _recur_clip(
        self,
        inputs: GateInputs,
        gates: Tensor,
        state: BlockState,
        context: BlockContext,
    ) -> tuple[Tensor, Tensor]:
        hidden, memory = state.hidden, state.memory
        all_hidden, all_memory = [], []
        if not self.feedback:
            gated = self._gate_all(inputs, context.rotation)
        for t in range(gates.shape[1]):
            if self.feedback:
                hidden, memory = self.recur(
                    inputs.frame(t), gates[:, t], hidden, memory, context.rotation
                )
            else:
                hidden, memory = self.cell(gated[:, t], gates[:, t], memory)
            all_hidden.append(hidden)
            all_memory.append(memory)
        return torch.stack(all_hidden, 1), torch.stack(all_memory, 1)

    def _gate_all(self, inputs: GateInputs, rotation: Rotation | None) -> Tensor:
        n, t = inputs.query.shape[:2]
        decay = inputs.decay
        if decay is not None and decay.dim() > 2:
            decay = decay.flatten(0, 1)
        if rotation is not None and rotation.cos.shape[0] > 1:
            rotation = Rotation(*(x.repeat_interleave(t, 0) for x in rotation))
        flat = GateInputs(
            inputs.query.flatten(0, 1),
            inputs.key.flatten(0, 1),
            inputs.value.flatten(0, 1),
            decay,
        )
        return self.gate(flat, None, rotation).unflatten(0, (n, t))

    def _shift(self, normed: Tensor, before: Tensor, context: BlockContext) -> Tensor:
        prefix = context.num_prefix
        if not prefix:
            return self.shift(normed, before, context.grid)
        shifted = self.shift(normed[:, :, prefix:], before, context.grid)
        return torch.cat([normed[:, :, :prefix], shifted], dim=2)

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
