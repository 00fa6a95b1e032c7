"""The cell that grows a memory in an image model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...ops.fused import accumulate
from ..cells import EdgeForgetCell


class GrowingCell(EdgeForgetCell):
    """The leaky cell beside the image model, with no part in it at first.

    ``C_t = f_t * C_{t-1} + (1 - f_t) * A_t`` as in LeakyCell, but
    ``H_t = A_t + g * C_t * sigmoid(A_t)``, the share g learned per channel from zero.

    Args:
        dim: Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.share = nn.Parameter(torch.zeros(dim))

    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tensor,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take up frames."""
        forget = self.forget(edges, elapsed)
        memory = accumulate((1 - forget) * gated, forget, state)
        hidden = torch.addcmul(gated, self.share * memory, gated.sigmoid())
        return hidden, memory, memory[:, -1]
