"""Made-up repetitions of a recorded path: turned, stretched and moved."""

from __future__ import annotations

import numpy as np

# At amount 1: the largest turn in degrees, the largest factor of a side (or of its
# inverse) and the largest shift, in sides of the unit square.
_TURN = 15.0
_STRETCH = 1.3
_SHIFT = 0.15


def vary_path(path: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Repeat a movement a little differently, as a person would.

    The path is stretched along both axes and turned around its middle, and moved. What
    then leaves the unit square is shrunk and moved back into it.

    Args:
        path: `[T, 2]` in 0..1.
        amount: 0 leaves it as it is; 1 stretches it by up to 1.3, turns it by up to 15
            degrees and moves it by up to 0.15.
        rng: Decides how.

    Returns:
        `[T, 2]` in 0..1.
    """
    turn = np.deg2rad(amount * _TURN * rng.uniform(-1, 1))
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    stretch = _STRETCH ** (amount * rng.uniform(-1, 1, 2))
    middle = (path.min(0) + path.max(0)) / 2
    varied = (path - middle) * stretch @ rotation
    varied /= max(1.0, np.ptp(varied, axis=0).max())
    varied += middle + amount * _SHIFT * rng.uniform(-1, 1, 2)
    too_low, too_high = np.minimum(varied.min(0), 0), np.maximum(varied.max(0) - 1, 0)
    # Rounding may still leave a point just outside.
    return np.clip(varied - too_low - too_high, 0, 1)
