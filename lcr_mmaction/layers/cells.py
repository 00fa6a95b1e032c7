"""Recurrent cells: how a block's memory C takes up one frame.

``gates`` computes for all frames what does not depend on the state;
``forward`` is the recurrence, elementwise over tokens and channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PaperCell(nn.Module):
    """The paper's cell, taken literally; its memory is not bounded.

    ``C_t = E_t * (tanh(A_t) + C_{t-1}) + C_{t-1}``,
    ``H_t = tanh(C_t) * sigmoid(A_t)``, E_t the embedded edge.

    Args:
        dim: Channels; not used.
    """

    recurrent = True

    def __init__(self, dim: int) -> None:
        super().__init__()

    def gates(self, edge: Tensor) -> Tensor:
        """The embedded edge itself, ``[..., L, C]``."""
        return edge

    def forward(
        self, gated: Tensor, gate: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take up one frame.

        Args:
            gated: Output A_t of the CrossRWKV gate, ``[N, L, C]``.
            gate: What ``gates`` gave for this frame, ``[N, L, C]``.
            memory: C_{t-1}, ``[N, L, C]``.

        Returns:
            H_t and C_t, ``[N, L, C]`` each.
        """
        memory = gate * (gated.tanh() + memory) + memory
        return memory.tanh() * gated.sigmoid(), memory


class BoundedCell(PaperCell):
    """The cell with the edge squashed into a forget gate between 0 and 1.

    ``f_t = sigmoid(a * E_t + b)``, ``C_t = f_t * (C_{t-1} + tanh(A_t))`` (the
    cell of SwinLSTM, arXiv 2308.09891, gated by the edge), so that
    ``|C| <= f / (1 - f)``. Scale a and bias b are learned, one a channel.

    Args:
        dim: Channels C.
        init_bias: Spread of the initial b: the memory of the channels lasts from
            ``1 / (1 - sigmoid(min))`` to ``1 / (1 - sigmoid(max))`` frames.
    """

    def __init__(self, dim: int, init_bias: tuple[float, float] = (0.0, 3.0)) -> None:
        super().__init__(dim)
        self.scale = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.linspace(*init_bias, dim))

    def gates(self, edge: Tensor) -> Tensor:
        """Forget gate f, ``[..., L, C]``."""
        return (edge * self.scale + self.bias).sigmoid()

    def forward(
        self, gated: Tensor, gate: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take up one frame; shapes as in PaperCell."""
        memory = gate * (memory + gated.tanh())
        return memory.tanh() * gated.sigmoid(), memory


class NoRecurrence(PaperCell):
    """No memory: the gate's output is the block's (the ablation "no LSTM")."""

    recurrent = False

    def forward(
        self, gated: Tensor, gate: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pass the frame on; shapes as in PaperCell."""
        return gated, gated


CELLS: dict[str, type[PaperCell]] = {
    "paper": PaperCell,
    "bounded": BoundedCell,
    "none": NoRecurrence,
}
