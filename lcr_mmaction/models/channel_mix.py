"""Channel mix: the feed-forward part of an RWKV block."""

from __future__ import annotations

from torch import Tensor, nn


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
        # In place where the backward pass needs the result alone.
        key = self.key(x).relu_().square()
        return self.receptance(x).sigmoid_() * self.value(key)
