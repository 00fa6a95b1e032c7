"""A depth clip as a camera a little to the side, above or below would have seen it."""

from __future__ import annotations

import math

import numpy as np

# A person of 1.7 m is about 190 pixels tall, an arm's 0.65 m about 130 units of depth
# long: a unit is as deep as this many pixels are wide.
PIXELS_PER_DEPTH = 0.55


def turn(depth: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """Turn the person in front of the camera.

    The points of the surface turn about the person's middle in the first frame that
    shows them; where two fall on a pixel the nearer one counts, and what the first
    camera did not see stays empty but for gaps of a pixel.

    Args:
        depth: `[T, H, W]`, 0 where there is no person.
        yaw: Angle in degrees about the upright axis.
        pitch: Angle in degrees about the horizontal one.

    Returns:
        uint16 `[T, H, W]`.
    """
    first = next((frame for frame in depth if frame.any()), None)
    if first is None:
        return depth
    rows, columns = np.nonzero(first)
    centre = np.array(
        [np.median(columns), np.median(rows), np.median(first[first > 0])]
    )
    unit = np.array([1, 1, PIXELS_PER_DEPTH])
    rotation = (_about_upright(yaw) @ _about_horizontal(pitch)).T
    turned = np.zeros_like(depth, dtype=np.uint16)
    for frame, target in zip(depth, turned, strict=True):
        rows, columns = np.nonzero(frame)
        points = np.stack([columns, rows, frame[rows, columns]], axis=1)
        points = ((points - centre) * unit) @ rotation / unit + centre
        _draw(points, target)
    return turned


def _about_upright(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_horizontal(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _draw(points: np.ndarray, target: np.ndarray) -> None:
    """Draw points `[N, 3]`, nearest last, and close gaps of a pixel."""
    points = points[np.argsort(-points[:, 2])]
    columns, rows = points[:, :2].round().astype(int).T
    height, width = target.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns, near = rows[inside], columns[inside], points[inside, 2]
    target[rows, columns] = near.round().clip(1, 65535)
    for axis in (1, 0):
        before, after = np.roll(target, 1, axis), np.roll(target, -1, axis)
        gaps = (target == 0) & (before > 0) & (after > 0)
        target[gaps] = ((before[gaps].astype(int) + after[gaps]) // 2).astype(np.uint16)
