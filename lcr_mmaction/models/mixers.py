"""Token mixers inside the gate: how the tokens of one frame see each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import bi_wkv


class Mixer(nn.Module, ABC):
    """What a mixer promises.

    - It mixes the tokens of each frame by themselves: B frames in, B frames out,
      none of which meet, and nothing is kept.
    - Every token may see every other, in both directions.

    Args:
        dim: Channels C of the key-value source.
        num_heads: H.
        head_dim: K.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(
        self, receptance: Tensor, key: Tensor, value: Tensor, source: Tensor
    ) -> Tensor:
        """Mix tokens.

        Args:
            receptance: ``[B, L, H, K]``.
            key: ``[B, L, H, K]``.
            value: ``[B, L, H, K]``.
            source: What key and value are projected from, ``[B, L, C]``.

        Returns:
            ``[B, L, H, K]``.
        """


class BiWKVMixer(Mixer):
    """Bidirectional WKV with one decay and bonus a channel (the paper's form).

    ``wkv_t = diag(u) k_t^T v_t + sum_{i != t} diag(w)^{|t-i|-1} k_i^T v_i``.
    """

    no_weight_decay: ClassVar[frozenset[str]] = frozenset({"decay_speed", "bonus"})

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__(dim, num_heads, head_dim)
        # From a reach of about 150 tokens down to one.
        speed = torch.linspace(-5.0, 0.5, head_dim).repeat(num_heads, 1)
        self.decay_speed = nn.Parameter(speed)
        self.bonus = nn.Parameter(torch.ones(num_heads, head_dim))

    def log_decay(self, source: Tensor) -> Tensor:
        """Log-decay w, always negative: ``(H, K)``, or one a token of the source."""
        return -self.decay_speed.exp()

    def forward(
        self, receptance: Tensor, key: Tensor, value: Tensor, source: Tensor
    ) -> Tensor:
        """Mix tokens."""
        return bi_wkv(receptance, key, value, self.log_decay(source), self.bonus)


class DynamicBiWKVMixer(BiWKVMixer):
    """Bidirectional WKV whose decay each token sets (as in Vision-RWKV6).

    A low-rank projection of the key-value source is added to the static speed.

    Args:
        dim: Channels C of the key-value source.
        num_heads: H.
        head_dim: K.
        rank: Rank of the projection.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int, rank: int = 16) -> None:
        super().__init__(dim, num_heads, head_dim)
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, num_heads * head_dim, bias=False)
        nn.init.zeros_(self.up.weight)

    def log_decay(self, source: Tensor) -> Tensor:
        """Log-decay w of each token, ``[B, L, H, K]``."""
        change = self.up(self.down(source).tanh())
        return -(self.decay_speed + change.unflatten(-1, self.decay_speed.shape)).exp()


class SoftmaxMixer(Mixer):
    """Multi-head softmax attention, the usual quadratic mixer."""

    def forward(
        self, receptance: Tensor, key: Tensor, value: Tensor, source: Tensor
    ) -> Tensor:
        """Mix tokens; receptance plays the query."""
        query, key, value = (x.transpose(1, 2) for x in (receptance, key, value))
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2)


MIXERS: dict[str, type[Mixer]] = {
    "rwkv": BiWKVMixer,
    "rwkv_dynamic": DynamicBiWKVMixer,
    "attention": SoftmaxMixer,
}
