"""Token shifts: what a token sees of its neighbours before it is projected.

Each shift maps the normalised tokens of all frames to shifted ones. A shift that
looks back in time takes what it kept of the frame before the first one, so that a
clip and a stream of single frames give the same result.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .token_grid import TokenGrid


def previous_frames(tokens: Tensor, before: Tensor) -> Tensor:
    """Tokens of the preceding frame, for every frame.

    Args:
        tokens: ``[N, T, L, C]``.
        before: Tokens of the frame before the first, ``[N, L, C]``.

    Returns:
        ``[N, T, L, C]``.
    """
    return torch.cat([before.unsqueeze(1), tokens[:, :-1]], dim=1)


class CausalConvShift(nn.Module):
    """Depthwise 2x3x3 convolution, causal in time: this frame and the last one.

    Our reading of the paper's "combination of causal convolution and
    bidirectional attention": the convolution is causal over frames and centred
    in space. It starts as the identity on the current frame.

    Args:
        dim: Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.weight = nn.Parameter(torch.empty(2 * dim, 1, 3, 3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Identity on the current frame plus small random taps."""
        with torch.no_grad():
            nn.init.normal_(self.weight, std=0.1)
            self.weight[: self.dim, 0, 1, 1] += 1.0

    def forward(
        self, tokens: Tensor, before: Tensor, grid: TokenGrid
    ) -> tuple[Tensor, Tensor]:
        """Shift tokens.

        Args:
            tokens: ``[N, T, L, C]``.
            before: What this method kept of the frame before the first,
                ``[N, L, C]``; zeros for none.
            grid: Where the tokens lie.

        Returns:
            Shifted tokens ``[N, T, L, C]``, and what the last frame gives to the
            next one, ``[N, L, C]``.
        """
        images = grid.to_map(tokens)
        now, last = (
            grid.to_tokens(
                F.conv2d(images, taps, padding=1, groups=self.dim), tokens.shape[1]
            )
            for taps in self.weight.split(self.dim)
        )
        return now + previous_frames(last, before), last[:, -1]


class QShift(nn.Module):
    """Quarter shift of Vision-RWKV (arXiv 2403.02308), within a frame.

    The four quarters of the channels come from the left, right, upper and lower
    neighbour and are mixed with the token itself by a learned share per channel.

    Args:
        dim: Channels C, a multiple of 4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.full((dim,), 0.5))

    def forward(
        self, tokens: Tensor, before: Tensor, grid: TokenGrid
    ) -> tuple[Tensor, Tensor]:
        """Shift tokens; ``before`` stays. Shapes as in CausalConvShift."""
        images = grid.to_map(tokens)
        left, right, up, down = images.chunk(4, dim=1)
        shifted = torch.cat(
            [
                F.pad(left, (1, 0))[..., :-1],
                F.pad(right, (0, 1))[..., 1:],
                F.pad(up, (0, 0, 1, 0))[..., :-1, :],
                F.pad(down, (0, 0, 0, 1))[..., 1:, :],
            ],
            dim=1,
        )
        shifted = grid.to_tokens(shifted, tokens.shape[1])
        return torch.lerp(shifted, tokens, self.mix.to(tokens.dtype)), before


class NoShift(nn.Module):
    """Tokens as they are.

    Args:
        dim: Channels C; not used.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()

    def forward(
        self, tokens: Tensor, before: Tensor, grid: TokenGrid
    ) -> tuple[Tensor, Tensor]:
        """Return ``tokens``; ``before`` stays."""
        return tokens, before


TOKEN_SHIFTS: dict[str, type[nn.Module]] = {
    "causal_conv": CausalConvShift,
    "q_shift": QShift,
    "none": NoShift,
}
