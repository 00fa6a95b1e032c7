"""Rotary position encoding over the patch grid."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..ops.fused import rotate_pairs
from .token_grid import TokenGrid


class Rotation(NamedTuple):
    """How far every token is turned, found once for all frames and blocks.

    Attributes:
        cos: Cosine of the angles, ``[N or 1, L, 1, K / 2]``.
        sin: Their sine, the same shape.
    """

    cos: Tensor
    sin: Tensor


class RotaryEmbedding2D(nn.Module):
    """Axial rotary encoding (RoPE, arXiv 2104.09864) of receptance and key.

    The first half of the channel pairs of a head turns with the row, the second
    with the column. Class tokens stay unturned.

    Args:
        head_dim: Channels K of a head, a multiple of 4.
        base: Longest wavelength, in patches, is ``2 pi base``.

    Raises:
        ValueError: ``head_dim`` is no multiple of 4.
    """

    frequency: Tensor

    def __init__(self, head_dim: int, base: float = 100.0) -> None:
        super().__init__()
        if head_dim % 4:
            raise ValueError(
                f"RoPE over rows and columns needs a head size that is a multiple "
                f"of 4, got {head_dim}: change embed_dims or num_heads"
            )
        bands = head_dim // 4
        frequency = base ** (-torch.arange(bands, dtype=torch.float32) / bands)
        self.register_buffer("frequency", frequency, persistent=False)

    def forward(self, grid: TokenGrid, num_prefix: int) -> Rotation:
        """Find the rotation of every token.

        Args:
            grid: Where the patch tokens lie.
            num_prefix: Class tokens before the patches, given angle 0.

        Returns:
            That of ``num_prefix + L`` tokens.
        """
        device = self.frequency.device
        index = grid.keep
        if index is None:
            index = torch.arange(grid.height * grid.width, device=device)[None]
        rows = (index // grid.width)[..., None] * self.frequency
        columns = (index % grid.width)[..., None] * self.frequency
        angles = torch.cat([rows, columns], dim=-1)
        if num_prefix:
            angles = nn.functional.pad(angles, (0, 0, num_prefix, 0))
        angles = angles.unsqueeze(2)
        return Rotation(angles.cos(), angles.sin())


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn channel pairs ``(i, i + K / 2)``.

    Args:
        x: ``[N, ..., L, H, K]``.
        rotation: That of the L tokens.

    Returns:
        Same shape and dtype as ``x``.
    """
    return rotate_pairs(x, *rotation)
