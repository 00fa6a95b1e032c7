"""Recurrent cells: how a block's memory C takes up the frames.

The cells here share ``C_t = keep_t * C_{t-1} + take_t * A_t`` and ``H_t = C_t *
sigmoid(A_t)``, with or without a tanh around A_t and C_t; they differ in how the
edges give ``keep`` and ``take``. Everything but the sum over time is computed for all
frames at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ..ops.fused import accumulate, leaky_cell
from .elapsed import as_factor, over_time
from .state import Tree

EPS = 1e-5


class Cell(nn.Module, ABC):
    """What a cell promises.

    - Causal: frame t depends on frames up to t and on the state given. A clip gives
      what its frames give one by one, each with the state after the last.
    - Pure: no argument is changed in place, nothing is kept between calls.
    - Times of 1 between all frames change nothing.
    - Its state is a tensor ``[N, L, ...]``, or tuples and dicts of such: a cell may
      keep several memories. All zeros is the state before the first frame.

    Args:
        dim: Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()

    def init_state(self, zeros: Tensor) -> Tree:
        """State before the first frame.

        Args:
            zeros: Zeros ``[N, L, C]`` to make it of; one such memory by default.
        """
        return zeros

    @abstractmethod
    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tree,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tree]:
        """Take up frames.

        Args:
            gated: Outputs A of the CrossRWKV gate, ``[N, T, L, C]``.
            edges: Embedded edges E, ``[N, T, L, C]``.
            state: That after the frame before the first.
            elapsed: Time since the last frame in intervals of training, ``[N, T]``;
                None where all are 1.

        Returns:
            Output H and memory C of every frame, ``[N, T, L, C]`` each, and the state
            after the last.
        """


class PaperCell(Cell):
    """The paper's cell, taken literally; its memory is not bounded.

    ``C_t = E_t * (tanh(A_t) + C_{t-1}) + C_{t-1}``: that is ``keep = 1 + E_t``,
    ``take = E_t``. Over another time E_t counts that much more or less.
    """

    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tensor,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take up frames."""
        if elapsed is not None:
            edges = edges * as_factor(elapsed, edges)
        memory = accumulate(edges * gated.tanh(), 1 + edges, state)
        return memory.tanh() * gated.sigmoid(), memory, memory[:, -1]


class EdgeForgetCell(Cell):
    """Base of the cells with the edge as a forget gate between 0 and 1.

    ``f_t = sigmoid(a * E_t + b)``, scale a and bias b learned, one a channel. It is
    what is kept in an interval between frames; over other times see
    :func:`.over_time`.

    Args:
        dim: Channels C.
        init_bias: Spread of the initial b: the memory of the channels lasts from
            ``1 / (1 - sigmoid(min))`` to ``1 / (1 - sigmoid(max))`` frames.
    """

    def __init__(self, dim: int, init_bias: tuple[float, float] = (0.0, 5.0)) -> None:
        super().__init__(dim)
        self.scale = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.linspace(*init_bias, dim))

    def forget(self, edges: Tensor, elapsed: Tensor | None = None) -> Tensor:
        """Forget gate f of embedded edges ``[N, T, L, C]``, over the time elapsed."""
        return over_time(torch.addcmul(self.bias, edges, self.scale), elapsed)


class BoundedCell(EdgeForgetCell):
    """The cell of SwinLSTM (arXiv 2308.09891), gated by the edge.

    ``C_t = f_t * (C_{t-1} + tanh(A_t))``, so that ``|C| <= f / (1 - f)``. Over a time
    dt it is ``C_t = f^dt C_{t-1} + f (1 - f^dt) / (1 - f) tanh(A_t)``.
    """

    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tensor,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take up frames."""
        keep = take = self.forget(edges, elapsed)
        if elapsed is not None:
            # Input that arrives all along: the memory settles where it does at any
            # other rate. Where f rounds to 1 the quotient is dt.
            forget, time = self.forget(edges), as_factor(elapsed, edges)
            take = forget * ((1 - keep + EPS * time) / (1 - forget + EPS))
        memory = accumulate(take * gated.tanh(), keep, state)
        return memory.tanh() * gated.sigmoid(), memory, memory[:, -1]


class LeakyCell(EdgeForgetCell):
    """The cell as a leaky average: what is forgotten makes room for the new.

    ``C_t = f_t * C_{t-1} + (1 - f_t) * A_t``, ``H_t = C_t * sigmoid(A_t)``: the
    coupled gates of arXiv 1503.04069, linear in the past like the minimal units of
    arXiv 2410.01201. An average cannot leave the range of what it is of, so that
    neither it nor A needs a tanh.
    """

    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tensor,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Take up frames."""
        if elapsed is None:
            hidden, memory = leaky_cell(gated, edges, self.scale, self.bias, state)
        else:
            keep = self.forget(edges, elapsed)
            memory = accumulate((1 - keep) * gated, keep, state)
            hidden = memory * gated.sigmoid()
        return hidden, memory, memory[:, -1]


class NoRecurrence(Cell):
    """No memory: the gate's output is the block's (the ablation "no LSTM")."""

    def init_state(self, zeros: Tensor) -> Tree:
        """Nothing is kept."""
        return ()

    def forward(
        self,
        gated: Tensor,
        edges: Tensor,
        state: Tree,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tree]:
        """Pass the frames on."""
        return gated, gated, state


CELLS: dict[str, type[Cell]] = {
    "paper": PaperCell,
    "bounded": BoundedCell,
    "leaky": LeakyCell,
    "none": NoRecurrence,
}
