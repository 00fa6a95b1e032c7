"""Channel mix: the feed-forward part of an RWKV block."""

from __future__ import annotations

from torch import Tensor, nn

from ..ops.fused import add_gated, for_products, squared_relu
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

    def forward(self, x: Tensor, tokens: Tensor, share: Tensor | None) -> Tensor:
        """Mix the channels of ``x`` and add them to tokens.

        Args:
            x: ``[N, ..., C]``.
            tokens: The same shape.
            share: A number a clip, ``[N, 1, ..., 1]``, to multiply what is added by;
                None: 1.
        """
        x = for_products(x)
        key = squared_relu(linear(self.key, x))
        receptance, value = linear(self.receptance, x), linear(self.value, key)
        return add_gated(tokens, receptance, value, share)
