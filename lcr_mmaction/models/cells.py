"""Recurrent cells: how a block's memory C takes up the frames.

All cells share ``C_t = keep_t * C_{t-1} + take_t * A_t`` and ``H_t = C_t *
sigmoid(A_t)``, with or without a tanh around A_t and C_t; they differ in how the
edges give ``keep`` and ``take``. Everything but the sum over time is computed for all
frames at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def accumulate(new: Tensor, keep: Tensor, memory: Tensor) -> Tensor:
    """``C_t = keep_t * C_{t-1} + new_t`` for all frames.

    Args:
        new: ``[N, T, L, C]``.
        keep: ``[N, T, L, C]``.
        memory: C before the first frame, ``[N, L, C]``.

    Returns:
        C of every frame, ``[N, T, L, C]``.
    """
    memories = []
    for t in range(new.shape[1]):
        memory = torch.addcmul(new[:, t], keep[:, t], memory)
        memories.append(memory)
    return torch.stack(memories, dim=1)


class PaperCell(nn.Module):
    """The paper's cell, taken literally; its memory is not bounded.

    ``C_t = E_t * (tanh(A_t) + C_{t-1}) + C_{t-1}``, E_t the embedded edge: that is
    ``keep = 1 + E_t``, ``take = E_t``.

    Args:
        dim: Channels; not used.
    """

    recurrent = True

    def __init__(self, dim: int) -> None:
        super().__init__()

    def gates(self, edge: Tensor) -> tuple[Tensor, Tensor]:
        """``keep`` and ``take`` of embedded edges ``[..., L, C]``."""
        return 1 + edge, edge

    def forward(
        self, gated: Tensor, keep: Tensor, take: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take up frames.

        Args:
            gated: Outputs A of the CrossRWKV gate, ``[N, T, L, C]``.
            keep: From :meth:`gates`, ``[N, T, L, C]``.
            take: From :meth:`gates`, ``[N, T, L, C]``.
            memory: C before the first frame, ``[N, L, C]``.

        Returns:
            H and C of every frame, ``[N, T, L, C]`` each.
        """
        memory = accumulate(take * gated.tanh(), keep, memory)
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

    def __init__(self, dim: int, init_bias: tuple[float, float] = (0.0, 5.0)) -> None:
        super().__init__(dim)
        self.scale = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.linspace(*init_bias, dim))

    def gates(self, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Forget gate f, twice."""
        forget = torch.addcmul(self.bias, edge, self.scale).sigmoid()
        return forget, forget


class LeakyCell(BoundedCell):
    """The cell as a leaky average: what is forgotten makes room for the new.

    ``C_t = f_t * C_{t-1} + (1 - f_t) * A_t``, ``H_t = C_t * sigmoid(A_t)`` with f_t
    as in BoundedCell: the coupled gates of arXiv 1503.04069, linear in the past like
    the minimal units of arXiv 2410.01201. An average cannot leave the range of what
    it is of, so that neither it nor A needs a tanh.

    Args:
        dim: Channels C.
    """

    def gates(self, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Forget gate f, and 1 - f."""
        forget, _ = super().gates(edge)
        return forget, 1 - forget

    def forward(
        self, gated: Tensor, keep: Tensor, take: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take up frames; shapes as in PaperCell."""
        memory = accumulate(take * gated, keep, memory)
        return memory * gated.sigmoid(), memory


class NoRecurrence(PaperCell):
    """No memory: the gate's output is the block's (the ablation "no LSTM")."""

    recurrent = False

    def forward(
        self, gated: Tensor, keep: Tensor, take: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pass the frames on; shapes as in PaperCell."""
        return gated, gated


CELLS: dict[str, type[PaperCell]] = {
    "paper": PaperCell,
    "bounded": BoundedCell,
    "leaky": LeakyCell,
    "none": NoRecurrence,
}
