"""Vision-RWKV's spatial mixes: how the tokens of a frame see each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ...ops import bi_wkv
from ..gate import GatedHeadNorm
from ..token_grid import TokenGrid
from .normalised_wkv import normalised_bi_wkv
from .quarter_shift import blend, quarter_shift
from .schedules import Layer, first_bonus, own_share, sixth_bonus, spread


class SpatialMix(nn.Module, ABC):
    """A token mixer over the patches of a frame that also reads its edges.

    Edge tokens are added to what keys and values (and decays that depend on the
    token) are projected from; with edges of zero it is Vision-RWKV's own mix.
    """

    @abstractmethod
    def forward(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """Mix the tokens of every frame by itself.

        Args:
            tokens: ``[N, T, L, C]``.
            edges: ``[N, T, L, C]``.
            grid: Where the tokens lie.

        Returns:
            ``[N, T, L, C]``.
        """

    @abstractmethod
    def receptances(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """What the tokens ask with, ``[N, T, L, C]``, as it is projected."""

    @abstractmethod
    def log_decay(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """Log-decay w of the WKV from token to token.

        Returns:
            ``(H, K)``, or one a token, ``[N * T, L, H, K]``.
        """


class NormalisedMix(SpatialMix):
    """The first version: a weighted mean per channel, gated by the receptance.

    ``A = W_o (sigmoid(W_r x_r) * wkv(W_k x_k, W_v x_v))``, every x a blend of the
    token with the quarter-shifted ones.

    Args:
        dim: Channels C.
        layer: The block's place, which the start depends on.
    """

    def __init__(self, dim: int, layer: Layer) -> None:
        super().__init__()
        self.mix_key = nn.Parameter(own_share(dim, layer))
        self.mix_value = nn.Parameter(own_share(dim, layer) + 0.3 * layer.rise)
        self.mix_receptance = nn.Parameter(own_share(dim, layer, power=0.5))
        self.decay = nn.Parameter(spread(dim, layer, -5.0, 3.0))
        self.bonus = nn.Parameter(first_bonus(dim))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """Mix tokens; shapes as in SpatialMix."""
        shifted = quarter_shift(tokens, grid)
        key = self.key(blend(shifted, tokens, self.mix_key) + edges)
        value = self.value(blend(shifted, tokens, self.mix_value) + edges)
        receptance = self._receptances(tokens, shifted)
        mixed = normalised_bi_wkv(
            key.flatten(0, 1), value.flatten(0, 1), self.decay, self.bonus
        )
        return self.output(receptance.sigmoid() * mixed.view_as(receptance))

    def receptances(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """Receptances, before their sigmoid."""
        return self._receptances(tokens, quarter_shift(tokens, grid))

    def log_decay(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """One decay a channel, ``(1, C)``; above 0 it grows with the distance."""
        return -self.decay.unsqueeze(0) / tokens.shape[2]

    def _receptances(self, tokens: Tensor, shifted: Tensor) -> Tensor:
        return self.receptance(blend(shifted, tokens, self.mix_receptance))


class Blends(NamedTuple):
    """A token blended with the shifted ones for each of its projections.

    Attributes:
        decay: ``[N, T, L, C]``, as all of them.
        key: For the key.
        value: For the value.
        receptance: For the receptance.
        gate: For the gate.
    """

    decay: Tensor
    key: Tensor
    value: Tensor
    receptance: Tensor
    gate: Tensor


class DynamicBlend(nn.Module):
    """Blends whose shares the token itself sets (RWKV-6, arXiv 2404.05892).

    ``x + d * (m_* + tanh((x + d * m) W_1)_* W_2*)`` with ``d`` the difference of the
    shifted tokens from x: five blends, each with a low-rank change of its share.

    Args:
        dim: Channels C.
        layer: The block's place, which the start depends on.
        rank: Rank of each change.
    """

    def __init__(self, dim: int, layer: Layer, rank: int = 32) -> None:
        super().__init__()
        other = 1 - own_share(dim, layer)
        other_by_half = 1 - own_share(dim, layer, power=0.5)
        self.mix = nn.Parameter(other.clone())
        self.mix_decay = nn.Parameter(other.clone())
        self.mix_key = nn.Parameter(other.clone())
        self.mix_value = nn.Parameter(other - 0.3 * layer.rise)
        self.mix_receptance = nn.Parameter(other_by_half.clone())
        self.mix_gate = nn.Parameter(other_by_half)
        self.down = nn.Parameter(torch.empty(dim, 5 * rank).uniform_(-1e-4, 1e-4))
        self.up = nn.Parameter(torch.empty(5, rank, dim).uniform_(-1e-4, 1e-4))

    def forward(self, tokens: Tensor, shifted: Tensor) -> Blends:
        """Blend ``tokens`` with ``shifted``, both ``[N, T, L, C]``."""
        change = shifted - tokens
        base = torch.addcmul(tokens, change, self.mix.to(tokens.dtype))
        hidden = (base @ self.down).tanh().unflatten(-1, (5, -1))
        shares = (
            self.mix_decay,
            self.mix_key,
            self.mix_value,
            self.mix_receptance,
            self.mix_gate,
        )
        blends = []
        for share, low, up in zip(shares, hidden.unbind(-2), self.up, strict=True):
            blends.append(tokens + change * (share + low @ up))
        return Blends(*blends)


class DynamicDecayMix(SpatialMix):
    """The sixth version: a matrix-valued state a head, decays set by the token.

    ``A = W_o (norm_heads(bi_wkv(r, k, v, w, u)) * SiLU(W_g x_g))`` with
    ``w = -exp(decay + tanh(x_w W_1) W_2)``.

    Args:
        dim: Channels C.
        num_heads: H.
        layer: The block's place, which the start depends on.
        rank: Rank of the decays.
    """

    no_weight_decay: ClassVar[frozenset[str]] = frozenset({"bonus"})

    def __init__(self, dim: int, num_heads: int, layer: Layer, rank: int = 64) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.blend = DynamicBlend(dim, layer)
        self.decay = nn.Parameter(spread(dim, layer, -6.0, -1.0))
        self.decay_down = nn.Parameter(torch.empty(dim, rank).uniform_(-1e-4, 1e-4))
        self.decay_up = nn.Parameter(torch.empty(rank, dim).uniform_(-1e-4, 1e-4))
        self.bonus = nn.Parameter(sixth_bonus(dim, layer).view(num_heads, -1))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.gate = nn.Linear(dim, dim, bias=False)
        self.norm = GatedHeadNorm(num_heads, dim)
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """Mix tokens; shapes as in SpatialMix."""
        blends = self._blends(tokens, grid)
        receptance = self._by_head(self.receptance(blends.receptance))
        key = self._by_head(self.key(blends.key + edges))
        value = self._by_head(self.value(blends.value + edges))
        decay = self._log_decay(blends.decay + edges)
        mixed = bi_wkv(receptance, key, value, decay, self.bonus)
        return self.output(self.norm(mixed, self.gate(blends.gate)))

    def receptances(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """Receptances of all heads."""
        return self.receptance(self._blends(tokens, grid).receptance)

    def log_decay(self, tokens: Tensor, edges: Tensor, grid: TokenGrid) -> Tensor:
        """One decay a token and channel, ``[N * T, L, H, K]``."""
        return self._log_decay(self._blends(tokens, grid).decay + edges)

    def _blends(self, tokens: Tensor, grid: TokenGrid) -> Blends:
        return self.blend(tokens, quarter_shift(tokens, grid, self.num_heads))

    def _log_decay(self, blended: Tensor) -> Tensor:
        change = (blended @ self.decay_down).tanh() @ self.decay_up
        return self._by_head(-(self.decay + change).exp())

    def _by_head(self, x: Tensor) -> Tensor:
        """``[N, T, L, C]`` as ``[N * T, L, H, K]``."""
        return x.flatten(0, 1).unflatten(-1, (self.num_heads, -1))
