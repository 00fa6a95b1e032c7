"""How the parameters of a block start, by its place (RWKV, arXiv 2305.13048).

Weights of linear layers start from MMEngine's or PyTorch's rules; what is here starts
shares, decays and bonuses, which the published models spread over channels and blocks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Layer(NamedTuple):
    """A block's place.

    Attributes:
        number: From 0, the lowest.
        depth: Number of blocks.
    """

    number: int
    depth: int

    @property
    def rise(self) -> float:
        """0 for the lowest block, 1 for the highest."""
        return self.number / max(self.depth - 1, 1)


def own_share(dim: int, layer: Layer, power: float = 1.0) -> Tensor:
    """Share of the token itself: from 0 to 1 over the channels, ``(dim,)``."""
    return (torch.arange(dim) / dim) ** (power * (1 - layer.number / layer.depth))


def spread(dim: int, layer: Layer, low: float, high: float) -> Tensor:
    """From ``low`` to ``high`` over the channels, later in higher blocks."""
    place = torch.linspace(0, 1, dim)
    return low + (high - low) * place ** (0.7 + 1.3 * layer.rise)


def first_bonus(dim: int) -> Tensor:
    """Bonus of the first version: ``log 0.3``, zigzagging by a half, ``(dim,)``."""
    return math.log(0.3) + 0.5 * _zigzag(dim)


def sixth_bonus(dim: int, layer: Layer) -> Tensor:
    """Bonus of the sixth version: falling over the channels, ``(dim,)``."""
    return layer.rise * (1 - torch.linspace(0, 1, dim)) + 0.1 * _zigzag(dim)


def _zigzag(dim: int) -> Tensor:
    return ((torch.arange(dim) + 1) % 3 - 1).float()
