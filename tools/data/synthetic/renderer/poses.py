"""Named hand poses as joint angles.

A pose is a vector of 18 angles in degrees: for index, middle, ring and little
finger the flexion of the knuckle (MCP), the flexion of the middle joint (PIP) and
the spread towards the thumb's side; then, for each of the thumb's three bones, its
direction as (angle from the fingers' axis towards the thumb's side, angle out of
the palm). Poses are blended linearly.
"""

from __future__ import annotations

import numpy as np

POSE_SIZE = 18

_TUCKED_THUMB = (38, 40, -20, 62, -62, 45)
_CURLED = (82, 98)


def _pose(
    flexion: tuple[tuple[float, float], ...],
    spread: tuple[float, ...],
    thumb: tuple[float, ...],
) -> np.ndarray:
    fingers = [(*f, s) for f, s in zip(flexion, spread, strict=True)]
    return np.array([a for finger in fingers for a in finger] + list(thumb), float)


FLAT = _pose(((4, 6),) * 4, (7, 1, -5, -11), (42, 12, 26, 10, 18, 8))
SPREAD = _pose(((0, 4),) * 4, (15, 4, -8, -20), (62, 14, 60, 8, 56, 4))
CLAW = _pose(((26, 38),) * 4, (17, 5, -8, -20), (66, 34, 48, 34, 36, 32))
RELAXED = _pose(
    ((38, 42), (42, 46), (46, 50), (50, 54)), (3, 1, -2, -5), (42, 30, 24, 34, 12, 34)
)
FIST = _pose((_CURLED,) * 4, (2, 0, -2, -4), _TUCKED_THUMB)
THUMB = _pose((_CURLED,) * 4, (2, 0, -2, -4), (70, 14, 84, 6, 92, 2))
TWO_FINGERS = _pose(
    ((2, 4), (2, 4), _CURLED, _CURLED), (12, -8, -4, -5), (36, 42, -8, 58, -45, 50)
)
POINT = _pose(
    ((2, 4), _CURLED, _CURLED, _CURLED), (0, 0, -2, -4), (36, 42, -6, 58, -45, 50)
)
PINCH_ALL = _pose(
    ((62, 34), (62, 38), (62, 38), (62, 34)),
    (-5, -1, 3, 8),
    (44, 52, 22, 62, 8, 62),
)
PINCH_TWO = _pose(
    ((50, 52), _CURLED, _CURLED, _CURLED), (4, 0, -2, -4), (50, 40, 26, 52, 10, 56)
)
SPLIT_TWO = _pose(
    ((2, 6), _CURLED, _CURLED, _CURLED), (8, 0, -2, -4), (72, 16, 78, 8, 82, 4)
)
