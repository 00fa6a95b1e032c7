"""Edges found in the graph, for clips that bring no edge channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GraphEdges(nn.Module):
    """Sobel gradient magnitude of each frame, between 0 and 1.

    A differentiable stand-in for the ``EdgeExtract`` transform that runs on the
    model's device. The magnitude is divided by four times its mean over the frame
    and clipped at 1, so that neither contrast nor the normalisation of the
    input matters.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        kernel = torch.stack([sobel, sobel.t()]).unsqueeze(1)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Find edges.

        Args:
            frames: ``[N, T, 3, H, W]``, any scale and offset.

        Returns:
            ``[N, T, 1, H, W]`` in ``[0, 1]``.
        """
        grey = frames.flatten(0, 1).mean(dim=1, keepdim=True)
        gradient = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), self.kernel)
        # The square root has no gradient at 0; where nothing changes there is no edge.
        magnitude = gradient.square().sum(dim=1, keepdim=True).add(1e-12).sqrt() - 1e-6
        scale = 4 * magnitude.mean(dim=(2, 3), keepdim=True) + 1e-6
        return (magnitude / scale).clamp(max=1).unflatten(0, frames.shape[:2])
