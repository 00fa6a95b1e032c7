"""A block of Vision-RWKV that remembers."""

from __future__ import annotations

from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from ..block import BlockContext
from ..state import BlockState
from .cell import GrowingCell
from .channel_mix import ShiftedChannelMix
from .residual import Residual
from .spatial_mix import SpatialMix


class VisionRWKVBlock(nn.Module):
    """Vision-RWKV's block (arXiv 2403.02308) around a cell that starts as none.

    ``x + cell(spatial_mix(x))``, then ``x + channel_mix(x)``, each with its norm. The
    cell's share starts at zero: with edges of zero the block is the image model's on
    every frame.

    Args:
        spatial: Where the norm of the spatial mix stands.
        spatial_mix: The spatial mix.
        channel: Where the norm of the channel mix stands.
        channel_mix: The channel mix.
        dim: Channels C.
        drop_path: Rate of stochastic depth.
    """

    def __init__(
        self,
        spatial: Residual,
        spatial_mix: SpatialMix,
        channel: Residual,
        channel_mix: ShiftedChannelMix,
        dim: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.spatial = spatial
        self.spatial_mix = spatial_mix
        self.cell = GrowingCell(dim)
        self.channel = channel
        self.channel_mix = channel_mix
        self.drop_path = DropPath(drop_path)

    def init_state(self, zeros: Tensor, num_prefix: int) -> BlockState:
        """State before the first frame, as in LCRBlock."""
        return BlockState(self.cell.init_state(zeros), ())

    def forward(
        self, frames: Tensor, edges: Tensor, state: BlockState, context: BlockContext
    ) -> tuple[Tensor, Tensor, BlockState]:
        """Run the block over a clip; shapes as in LCRBlock."""
        grid = context.grid
        gated = self.spatial_mix(self.spatial.enter(frames), edges, grid)
        hidden, memory, kept = self.cell(gated, edges, state.memory, context.elapsed)
        tokens = frames + self.drop_path(self.spatial.leave(hidden))
        mixed = self.channel_mix(self.channel.enter(tokens), grid)
        tokens = tokens + self.drop_path(self.channel.leave(mixed))
        return tokens, memory, BlockState(kept, state.shifted)
