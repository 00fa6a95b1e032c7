"""Rotary position encoding over the patch grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .token_grid import TokenGrid


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

    def angles(self, grid: TokenGrid, num_prefix: int) -> Tensor:
        """Angles of every token.

        Args:
            grid: Where the patch tokens lie.
            num_prefix: Class tokens before the patches, given angle 0.

        Returns:
            ``[N or 1, num_prefix + L, 1, K / 2]``, radians.
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
        return angles.unsqueeze(2)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn channel pairs ``(i, i + K / 2)`` by ``angles``.

    Args:
        x: ``[N, ..., L, H, K]``.
        angles: ``[N or 1, L, 1, K / 2]``, radians.

    Returns:
        Same shape and dtype as ``x``.
    """
    while angles.dim() < x.dim():
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
