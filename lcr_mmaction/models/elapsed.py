"""Time between frames: what one interval ago was, and what is left after a while.

Time is counted in intervals between the frames that a model is trained on. With an
interval between all frames everything here is what it is without times, bit for bit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def previous_frames(frames: Tensor, before: Tensor) -> Tensor:
    """The preceding frame of every frame.

    Args:
        frames: ``[N, T, ...]``.
        before: The frame before the first, ``[N, ...]``.

    Returns:
        ``[N, T, ...]``.
    """
    return torch.cat([before.unsqueeze(1), frames[:, :-1]], dim=1)


def one_interval_ago(
    frames: Tensor, before: Tensor, elapsed: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What was to be seen an interval before every frame.

    Without times that is the last frame, as it is when frames come more slowly. When
    they come faster it is a running average of the past, ``r_t = r_{t-1} + dt (x_t -
    r_{t-1})``. It lies an interval back on the average and needs no buffer of frames.

    Args:
        frames: ``[N, T, ...]``.
        before: What was kept before the first frame, ``[N, ...]``.
        elapsed: Intervals since the last frame dt, ``[N, T]``, 0 or more; None where
            all are 1.

    Returns:
        The past of every frame, ``[N, T, ...]``, and what is kept for the next.
    """
    if elapsed is None:
        return previous_frames(frames, before), frames[:, -1]
    pasts = []
    for frame, time in zip(frames.unbind(1), elapsed.split(1, dim=1), strict=True):
        pasts.append(before)
        before = trace(before, frame, time)
    return torch.stack(pasts, dim=1), before


def trace(before: Tensor, frame: Tensor, elapsed: Tensor | None) -> Tensor:
    """What :func:`one_interval_ago` keeps of a frame.

    Args:
        before: What was kept before it, ``[N, ...]``.
        frame: ``[N, ...]``.
        elapsed: ``[N, 1]`` or None, as there.
    """
    if elapsed is None:
        return frame
    share = elapsed.clamp(max=1).reshape(-1, *[1] * (frame.dim() - 1)).to(frame.dtype)
    # Not a lerp: with a share of 1 this is exact in every engine.
    return (1 - share) * before + share * frame


def over_time(logit: Tensor, elapsed: Tensor | None) -> Tensor:
    """What a forget gate ``f = sigmoid(logit)`` keeps after a while, ``f ** dt``.

    A memory then lasts as many seconds at any rate of frames.

    Args:
        logit: ``[N, T, L, C]``.
        elapsed: Intervals since the last frame dt, ``[N, T]``; None where all are 1.

    Returns:
        ``[N, T, L, C]``.
    """
    forget = logit.sigmoid()
    if elapsed is None:
        return forget
    # As f times the rest: exact where dt is 1. Bounded so that the rest of an all but
    # closed gate, at a dt near 0, does not overflow.
    rest = F.logsigmoid(logit).clamp(min=-80)
    return forget * ((as_factor(elapsed, logit) - 1) * rest).exp()


def as_factor(elapsed: Tensor, like: Tensor) -> Tensor:
    """Times ``[N, T]`` in the dtype of ``[N, T, L, C]``, ready to multiply it."""
    return elapsed[..., None, None].to(like.dtype)
