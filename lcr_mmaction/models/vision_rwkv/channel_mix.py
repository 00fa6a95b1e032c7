"""Vision-RWKV's channel mix."""

from __future__ import annotations

from torch import Tensor, nn

from ..token_grid import TokenGrid
from .quarter_shift import blend, quarter_shift
from .schedules import Layer, own_share


class ShiftedChannelMix(nn.Module):
    """``sigmoid(W_r x_r) * W_v relu(W_k x_k)^2`` of tokens mixed with shifted ones.

    Args:
        dim: Channels C.
        ratio: Hidden channels are ``round(dim * ratio)``.
        num_groups: Groups of the quarter shift.
        layer: The block's place, which the start of the mix depends on.
    """

    def __init__(self, dim: int, ratio: float, num_groups: int, layer: Layer) -> None:
        super().__init__()
        self.num_groups = num_groups
        hidden = round(dim * ratio)
        self.mix_key = nn.Parameter(own_share(dim, layer))
        self.mix_receptance = nn.Parameter(own_share(dim, layer))
        self.key = nn.Linear(dim, hidden, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(hidden, dim, bias=False)

    def forward(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """Mix the channels of ``tokens``, ``[N, T, L, C]``, which lie on ``grid``."""
        shifted = quarter_shift(tokens, grid, self.num_groups)
        key = self.key(blend(shifted, tokens, self.mix_key))
        receptance = self.receptance(blend(shifted, tokens, self.mix_receptance))
        return receptance.sigmoid() * self.value(key.relu().square())
