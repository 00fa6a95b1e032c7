"""Token mixers inside the gate: how the tokens of one frame see each other.

Every mixer takes receptance, key and value ``[B, L, H, K]`` of one frame (or of
B frames) and returns ``[B, L, H, K]``. ``decay`` turns the key-value source of
all frames into the mixer's log-decays, before the recurrence starts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import bi_wkv


def _initial_decay(num_heads: int, head_dim: int) -> Tensor:
    """Spread of decay speeds: reach from about 150 tokens down to one."""
    speed = torch.linspace(-5.0, 0.5, head_dim)
    return speed.repeat(num_heads, 1)


class BiWKVMixer(nn.Module):
    """Bidirectional WKV with one decay and bonus a channel (the paper's form).

    ``wkv_t = diag(u) k_t^T v_t + sum_{i != t} diag(w)^{|t-i|-1} k_i^T v_i``.

    Args:
        dim: Channels of the key-value source; not used.
        num_heads: H.
        head_dim: K.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.decay_speed = nn.Parameter(_initial_decay(num_heads, head_dim))
        self.bonus = nn.Parameter(torch.ones(num_heads, head_dim))

    def decay(self, source: Tensor) -> Tensor:
        """Log-decay w, ``(H, K)``, always negative."""
        return -self.decay_speed.exp()

    def forward(self, r: Tensor, k: Tensor, v: Tensor, w: Tensor | None) -> Tensor:
        """Mix tokens."""
        return bi_wkv(r, k, v, w, self.bonus)


class DynamicBiWKVMixer(BiWKVMixer):
    """Bidirectional WKV whose decay each token sets (as in Vision-RWKV6).

    A low-rank projection of the key-value source is added to the static speed.

    Args:
        dim: Channels of the key-value source.
        num_heads: H.
        head_dim: K.
        rank: Rank of the projection.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int, rank: int = 16) -> None:
        super().__init__(dim, num_heads, head_dim)
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, num_heads * head_dim, bias=False)
        nn.init.zeros_(self.up.weight)

    def decay(self, source: Tensor) -> Tensor:
        """Log-decay w of each token, ``[..., L, H, K]``, always negative."""
        change = self.up(self.down(source).tanh())
        change = change.unflatten(-1, self.decay_speed.shape)
        return -(self.decay_speed + change).exp()


class SoftmaxMixer(nn.Module):
    """Multi-head softmax attention, the usual quadratic mixer.

    Args:
        dim: Channels of the key-value source; not used.
        num_heads: H; not used.
        head_dim: K; not used.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()

    def decay(self, source: Tensor) -> None:
        """Attention has no decay."""
        return None

    def forward(self, r: Tensor, k: Tensor, v: Tensor, w: Tensor | None) -> Tensor:
        """Mix tokens; receptance plays the query."""
        r, k, v = (x.transpose(1, 2) for x in (r, k, v))
        return F.scaled_dot_product_attention(r, k, v).transpose(1, 2)


class NoMixer(SoftmaxMixer):
    """No mixing: attention in which every token sees only itself."""

    def forward(self, r: Tensor, k: Tensor, v: Tensor, w: Tensor | None) -> Tensor:
        """Return the values."""
        return v


MIXERS: dict[str, type[nn.Module]] = {
    "rwkv": BiWKVMixer,
    "rwkv_dynamic": DynamicBiWKVMixer,
    "attention": SoftmaxMixer,
    "none": NoMixer,
}
