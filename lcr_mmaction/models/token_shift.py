"""Token shifts: what a token sees of its neighbours before it is projected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..ops.fused import causal_shift
from .elapsed import one_interval_ago
from .state import Tree
from .token_grid import TokenGrid
from .vision_rwkv.quarter_shift import blend, quarter_shift


class TokenShift(nn.Module, ABC):
    """What a token shift promises.

    - Causal: frame t depends on frames up to t and on what was kept of the frame
      before the first. A clip gives what its frames give one by one.
    - Pure: no argument is changed in place, nothing is kept between calls.
    - What it keeps of the last frame is a tensor ``[N, L, ...]``, or tuples and dicts
      of such; all zeros before the first frame.
    - Times of 1 between all frames change nothing.
    - Tokens may be missing from the grid (tube masking).

    Args:
        dim: Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()

    def init_state(self, zeros: Tensor) -> Tree:
        """What is kept before the first frame.

        Args:
            zeros: Zeros ``[N, L, C]`` to make it of; nothing by default.
        """
        return ()

    @abstractmethod
    def forward(
        self,
        tokens: Tensor,
        before: Tree,
        grid: TokenGrid,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tree]:
        """Shift tokens.

        Args:
            tokens: Normalised patch tokens, ``[N, T, L, C]``.
            before: What was kept of the frame before the first.
            grid: Where the tokens lie.
            elapsed: Time since the last frame in intervals of training, ``[N, T]``;
                None where all are 1.

        Returns:
            Shifted tokens ``[N, T, L, C]`` and what is kept of the last frame.
        """


class CausalConvShift(TokenShift):
    """Depthwise 2x3x3 convolution, causal in time: now and an interval ago.

    Our reading of the paper's "combination of causal convolution and
    bidirectional attention": the convolution is causal over frames and centred
    in space. It starts as the identity on the current frame, which a decay of the
    weights would pull at.
    """

    no_weight_decay: ClassVar[frozenset[str]] = frozenset({"weight"})

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.dim = dim
        self.weight = nn.Parameter(torch.empty(2 * dim, 1, 3, 3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Identity on the current frame plus small random taps."""
        with torch.no_grad():
            nn.init.normal_(self.weight, std=0.1)
            self.weight[: self.dim, 0, 1, 1] += 1.0

    def init_state(self, zeros: Tensor) -> Tree:
        """What a blank frame gives to the next one."""
        return zeros

    def forward(
        self,
        tokens: Tensor,
        before: Tree,
        grid: TokenGrid,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tree]:
        """Shift tokens; kept is what the last frame gives to the next one."""
        tokens, before = grid.fill(tokens), grid.fill(before[:, None])[:, 0]
        if elapsed is None:
            shifted, kept = causal_shift(tokens, self.weight, before, grid.height)
        else:
            shifted, kept = self._over_time(tokens, before, grid.height, elapsed)
        return grid.select(shifted), grid.select(kept[:, None])[:, 0]

    def _over_time(
        self, tokens: Tensor, before: Tensor, height: int, elapsed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Frame by frame: what each gives to the next depends on its time."""
        frames = []
        for frame, time in zip(
            tokens.split(1, dim=1), elapsed.split(1, dim=1), strict=True
        ):
            shifted, last = causal_shift(frame, self.weight, before, height)
            _, before = one_interval_ago(last.unsqueeze(1), before, time)
            frames.append(shifted)
        return torch.cat(frames, dim=1), before


class QShift(TokenShift):
    """Quarter shift of Vision-RWKV (arXiv 2403.02308), within a frame.

    The four quarters of the channels come from the left, right, upper and lower
    neighbour and are mixed with the token itself by a learned share per channel.

    Args:
        dim: Channels C, a multiple of 4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.mix = nn.Parameter(torch.full((dim,), 0.5))

    def forward(
        self,
        tokens: Tensor,
        before: Tree,
        grid: TokenGrid,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tree]:
        """Shift tokens; nothing is kept."""
        shifted = quarter_shift(tokens, grid)
        return blend(shifted, tokens, self.mix), before


class NoShift(TokenShift):
    """Tokens as they are."""

    def forward(
        self,
        tokens: Tensor,
        before: Tree,
        grid: TokenGrid,
        elapsed: Tensor | None = None,
    ) -> tuple[Tensor, Tree]:
        """Return ``tokens``; nothing is kept."""
        return tokens, before


TOKEN_SHIFTS: dict[str, type[TokenShift]] = {
    "causal_conv": CausalConvShift,
    "q_shift": QShift,
    "none": NoShift,
}
