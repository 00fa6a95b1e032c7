"""Where the norms of a residual branch stand."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Residual(nn.Module, ABC):
    """What surrounds a branch: ``leave(x, branch(enter(x)))`` is what adds to ``x``.

    Args:
        dim: Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    @abstractmethod
    def enter(self, tokens: Tensor) -> Tensor:
        """What the branch reads, ``[..., C]``, of the tokens ``[..., C]``."""

    @abstractmethod
    def leave(self, branch: Tensor) -> Tensor:
        """What is added to the tokens, of the branch's result ``[..., C]``."""


class PreNorm(Residual):
    """``x + branch(norm(x))``: Vision-RWKV tiny."""

    def enter(self, tokens: Tensor) -> Tensor:
        """Normalise what goes in."""
        return self.norm(tokens)

    def leave(self, branch: Tensor) -> Tensor:
        """Leave what comes out alone."""
        return branch


class PostNorm(Residual):
    """``x + scale * norm(branch(x))``: Vision-RWKV small and base.

    Args:
        dim: Channels C.
        scale: Start of the scale.
    """

    def __init__(self, dim: int, scale: float) -> None:
        super().__init__(dim)
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def enter(self, tokens: Tensor) -> Tensor:
        """Leave what goes in alone."""
        return tokens

    def leave(self, branch: Tensor) -> Tensor:
        """Normalise and scale what comes out."""
        return self.scale * self.norm(branch)
