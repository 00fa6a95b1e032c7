"""The edge method that runs in the graph, for clips that bring no edge channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GraphEdges(nn.Module):
    """The edge method ``'sobel_relative'`` as a part of the model, differentiable.

    It finds the same edges on the model's device, up to rounding, as
    :func:`lcr_runtime.edge_methods.sobel_relative` finds in the pipeline: a model
    trained with ``EdgeExtract(method='sobel_relative')`` may be given frames of three
    channels.
    """

    kernel: Tensor
    luma: Tensor

    def __init__(self) -> None:
        super().__init__()
        sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        kernel = torch.stack([sobel, sobel.t()]).unsqueeze(1)
        self.register_buffer("kernel", kernel, persistent=False)
        luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        self.register_buffer("luma", luma, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Find edges.

        Args:
            frames: RGB ``[N, T, 3, H, W]``, of any scale, the same for all three
                channels, and any offset.

        Returns:
            ``[N, T, 1, H, W]`` in ``[0, 1]``.
        """
        grey = (frames.flatten(0, 1) * self.luma).sum(dim=1, keepdim=True)
        gradient = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), self.kernel)
        # The square root has no gradient at 0; where nothing changes there is no edge.
        magnitude = gradient.square().sum(dim=1, keepdim=True).add(1e-12).sqrt() - 1e-6
        scale = 4 * magnitude.mean(dim=(2, 3), keepdim=True) + 1e-6
        return (magnitude / scale).clamp(max=1).unflatten(0, frames.shape[:2])
