"""The quarter shift of Vision-RWKV (arXiv 2403.02308)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..token_grid import TokenGrid


def quarter_shift(tokens: Tensor, grid: TokenGrid, num_groups: int = 1) -> Tensor:
    """Take the channels' quarters from the left, right, upper and lower token.

    Beyond the frame, and where a patch was dropped, tokens are zero.

    Args:
        tokens: ``[N, T, L, C]``.
        grid: Where the tokens lie.
        num_groups: Groups of channels that are quartered each: 1 in Vision-RWKV's
            first version, the heads in its sixth. ``C / num_groups`` is a multiple
            of 4.

    Returns:
        ``[N, T, L, C]``.
    """
    images = grid.to_map(tokens).unflatten(1, (num_groups, 4, -1))
    left, right, up, down = images.unbind(2)
    shifted = torch.stack(
        [
            F.pad(left, (1, 0))[..., :-1],
            F.pad(right, (0, 1))[..., 1:],
            F.pad(up, (0, 0, 1, 0))[..., :-1, :],
            F.pad(down, (0, 0, 0, 1))[..., 1:, :],
        ],
        dim=2,
    )
    return grid.to_tokens(shifted.flatten(1, 3), tokens.shape[1])


def blend(shifted: Tensor, tokens: Tensor, own: Tensor) -> Tensor:
    """``own * tokens + (1 - own) * shifted``, ``own`` a share per channel."""
    return torch.lerp(shifted, tokens, own.to(tokens.dtype))
