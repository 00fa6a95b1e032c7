"""Channel mix: the feed-forward part of an RWKV block."""

from __future__ import annotations

from torch import Tensor, nn

from ..ops.fused import for_products, sigmoid_product, squared_relu
from ..ops.linear import linear


class ChannelMix(nn.Module):
    """``sigmoid(R') * W_v relu(W_k x)^2`` (RWKV, arXiv 2305.13048).

    Args:
        dim: Channels C.
        ratio: Hidden channels are ``round(dim * ratio)``.
    """

    def __init__(self, dim: int, ratio: float) -> None:
        super().__init__()
        hidden = round(dim * ratio)
        self.key = nn.Linear(dim, hidden, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of ``x``, ``[..., C]``."""
        x = for_products(x)
        key = squared_relu(linear(self.key, x))
        return sigmoid_product(linear(self.receptance, x), linear(self.value, key))
