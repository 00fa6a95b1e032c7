"""Absolute positions of patches, added to the tokens before the blocks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .token_grid import TokenGrid


class FourierPositions(nn.Module):
    """A learned linear map of sines and cosines of the place in the frame.

    Places are fractions of the frame, so one model reads any frame size. Pooled
    readouts otherwise cannot tell where something is, only that it is there.

    Args:
        dim: Channels C.
        num_octaves: Frequencies per axis; the highest has ``2^num_octaves / 4``
            waves across the frame.
    """

    frequency: Tensor

    def __init__(self, dim: int, num_octaves: int = 4) -> None:
        super().__init__()
        frequency = math.pi / 2 * 2.0 ** torch.arange(1, num_octaves + 1)
        self.register_buffer("frequency", frequency, persistent=False)
        self.project = nn.Linear(4 * num_octaves, dim)

    def forward(self, grid: TokenGrid) -> Tensor:
        """Positions of all patches of a grid, masked ones included.

        Args:
            grid: The patch grid.

        Returns:
            ``[1, 1, height * width, C]``.
        """
        index = torch.arange(grid.height * grid.width, device=self.frequency.device)
        rows = (index // grid.width + 0.5) / grid.height
        columns = (index % grid.width + 0.5) / grid.width
        phases = torch.cat(
            [rows[:, None] * self.frequency, columns[:, None] * self.frequency], dim=1
        )
        waves = torch.cat([phases.sin(), phases.cos()], dim=1)
        # A dynamically quantized layer has a method there, and takes float32.
        if isinstance(self.project.weight, Tensor):
            waves = waves.to(self.project.weight.dtype)
        return self.project(waves)[None, None]
