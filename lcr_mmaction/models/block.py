"""One LCR block: token shift -> CrossRWKV gate -> cell -> channel mix."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from ..ops.fused import add_norm
from .cells import CELLS
from .channel_mix import ChannelMix
from .gate import CrossRWKVGate
from .rope import Rotation
from .state import BlockState, Tree
from .token_grid import TokenGrid
from .token_shift import TOKEN_SHIFTS

KEY_VALUE_SOURCES = ("edge", "edge+frame")


class BlockContext(NamedTuple):
    """What all blocks share for one clip or frame.

    Attributes:
        grid: Where the patch tokens lie.
        rotation: Rotary positions, or None.
        num_prefix: Class tokens before the patches, 0 or 1.
        elapsed: Time since the last frame in intervals of training, ``[N, T]``; None
            where all are 1.
    """

    grid: TokenGrid
    rotation: Rotation | None
    num_prefix: int
    elapsed: Tensor | None = None


class LCRBlock(nn.Module):
    """LCR block with residual paths across blocks, pre-norm as in Vision-RWKV.

    ::

        q       = shift(norm(x))
        H, C    = cell(gate(q, e + q), e)
        x'      = x + H
        out     = x' + channel_mix(norm(x'))

    All frames go through every layer together; only the sum over time inside the cell
    takes them in turn. A stream is a clip of one frame.

    Args:
        dim: Channels C.
        num_heads: Heads of the gate.
        mlp_ratio: Hidden ratio of the channel mix.
        cell: Name in :data:`CELLS`.
        token_shift: Name in :data:`TOKEN_SHIFTS`.
        mixer: Name in :data:`MIXERS`.
        kv_source: ``'edge'`` or ``'edge+frame'``: whether keys and values see the
            frame too.
        drop_path: Rate of stochastic depth, for whole clips.
    """

    residual = True

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        cell: str,
        token_shift: str,
        mixer: str,
        kv_source: str,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.shift = TOKEN_SHIFTS[token_shift](dim)
        self.gate = CrossRWKVGate(dim, num_heads, mixer)
        self.cell = CELLS[cell](dim)
        self.channel_norm = nn.LayerNorm(dim)
        self.channel_mix = ChannelMix(dim, mlp_ratio)
        self.drop_path = DropPath(drop_path)
        self.frame_answers = kv_source == "edge+frame"

    def init_state(self, zeros: Tensor, num_prefix: int) -> BlockState:
        """State before the first frame.

        Args:
            zeros: Zeros ``[N, L, C]``.
            num_prefix: How many of the L tokens are class tokens.
        """
        shifted = self.shift.init_state(zeros[:, num_prefix:])
        return BlockState(self.cell.init_state(zeros), shifted)

    def forward(
        self, tokens: Tensor, edges: Tensor, state: BlockState, context: BlockContext
    ) -> tuple[Tensor, Tensor, BlockState]:
        """Run the block over a clip (or over one frame, T = 1).

        Args:
            tokens: Those of the block below, ``[N, T, L, C]``.
            edges: Edge tokens, ``[N, T, L, C]``.
            state: State before the first frame.
            context: Shared by all blocks.

        Returns:
            Tokens ``[N, T, L, C]``, memory C of every frame ``[N, T, L, C]`` and
            the state after the last frame.
        """
        tokens, normed = add_norm(tokens, None, None, self.norm)
        query, shifted = self._shift(normed, state.shifted, context)
        source = edges + query if self.frame_answers else edges
        hidden, memory, kept = self.recur(
            query, source, edges, state.memory, context.rotation, context.elapsed
        )
        tokens, branch = (tokens, hidden) if self.residual else (hidden, None)
        tokens, normed = add_norm(
            tokens, branch, self._share(tokens), self.channel_norm
        )
        tokens = self.channel_mix(normed, tokens, self._share(tokens))
        return tokens, memory, BlockState(kept, shifted)

    def recur(
        self,
        query: Tensor,
        source: Tensor,
        edges: Tensor,
        state: Tree,
        rotation: Rotation | None,
        elapsed: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tree]:
        """From gate to cell, all frames at once: the gate waits for no state.

        Args:
            query: What receptance and gate are projected from, ``[N, T, L, C]``.
            source: What key and value are projected from, ``[N, T, L, C]``.
            edges: Edge tokens, ``[N, T, L, C]``.
            state: ``memory`` of the block's state before the first frame.
            rotation: Rotary positions, or None.
            elapsed: As in :class:`BlockContext`.

        Returns:
            H and C of every frame, ``[N, T, L, C]`` each, and ``memory`` after them.
        """
        gated = self.gate(query, source, rotation)
        return self.cell(gated, edges, state, elapsed)

    def _share(self, tokens: Tensor) -> Tensor | None:
        """What a residual branch is multiplied by, a number a clip; None: 1."""
        if not (self.training and self.drop_path.drop_prob):
            return None
        return self.drop_path(tokens.new_ones(len(tokens), 1, 1, 1))

    def _shift(
        self, normed: Tensor, before: Tree, context: BlockContext
    ) -> tuple[Tensor, Tree]:
        """Shift the patch tokens; a class token has no neighbours."""
        prefix = context.num_prefix
        if not prefix:
            return self.shift(normed, before, context.grid, context.elapsed)
        shifted, last = self.shift(
            normed[:, :, prefix:], before, context.grid, context.elapsed
        )
        return torch.cat([normed[:, :, :prefix], shifted], dim=2), last


class PlainLCRBlock(LCRBlock):
    """LCR block with no path around the cell: ``O_t = H_t``, then the channel mix."""

    residual = False


class FeedbackLCRBlock(LCRBlock):
    """LCR block whose gate also sees the last hidden state, frame by frame.

    Receptance and gate are projected from ``q_t + H_{t-1}``. The paper combines the
    two, but is silent on how; the sum is our reading.
    """

    def init_state(self, zeros: Tensor, num_prefix: int) -> BlockState:
        """State before the first frame: H beside what the cell keeps."""
        cell, shifted = super().init_state(zeros, num_prefix)
        return BlockState({"hidden": zeros, "cell": cell}, shifted)

    def recur(
        self,
        query: Tensor,
        source: Tensor,
        edges: Tensor,
        state: Tree,
        rotation: Rotation | None,
        elapsed: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tree]:
        """From gate to cell, one frame after the other."""
        hidden, cell = state["hidden"], state["cell"]
        all_hidden, all_memory = [], []
        frames = zip(*(x.split(1, dim=1) for x in (query, source, edges)), strict=True)
        for t, (query_t, source_t, edges_t) in enumerate(frames):
            query_t = query_t + hidden.unsqueeze(1)
            hidden_t, memory_t, cell = super().recur(
                query_t,
                source_t,
                edges_t,
                cell,
                rotation,
                None if elapsed is None else elapsed[:, t : t + 1],
            )
            hidden = hidden_t[:, 0]
            all_hidden.append(hidden_t)
            all_memory.append(memory_t)
        kept = {"hidden": hidden, "cell": cell}
        return torch.cat(all_hidden, dim=1), torch.cat(all_memory, dim=1), kept


class PaperLCRBlock(FeedbackLCRBlock):
    """LCR block as the paper has it: feedback, and no path around the cell."""

    residual = False


BLOCKS: dict[str, type[LCRBlock]] = {
    "residual": LCRBlock,
    "plain": PlainLCRBlock,
    "feedback": FeedbackLCRBlock,
    "paper": PaperLCRBlock,
}
