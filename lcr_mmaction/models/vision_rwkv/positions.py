"""Learned positions of an image model, resized to the frame."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..token_grid import TokenGrid


def resize_positions(
    table: Tensor, size: tuple[int, int], new_size: tuple[int, int]
) -> Tensor:
    """Resize positions bicubically.

    Args:
        table: ``[height * width, C]`` in raster order.
        size: ``(height, width)`` of the patch grid it was learned on.
        new_size: The grid it is to fit.

    Returns:
        ``[new_height * new_width, C]``; ``table`` itself if the grids are equal.
    """
    if size == new_size:
        return table
    image = table.t().unflatten(1, size).unsqueeze(0)
    image = F.interpolate(image, new_size, mode="bicubic", align_corners=False)
    return image.squeeze(0).flatten(1).t()


class LearnedPositions(nn.Module):
    """A learned vector for every patch of a grid, resized for other grids.

    Args:
        dim: Channels C.
        size: ``(height, width)`` of the patch grid that is learned.
    """

    no_weight_decay: ClassVar[frozenset[str]] = frozenset({"table"})

    def __init__(self, dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.table = nn.Parameter(torch.zeros(size[0] * size[1], dim))

    def forward(self, grid: TokenGrid) -> Tensor:
        """Positions of all patches of a grid, masked ones included.

        Args:
            grid: The patch grid.

        Returns:
            ``[1, 1, height * width, C]``.
        """
        table = resize_positions(self.table, self.size, (grid.height, grid.width))
        return table[None, None]
