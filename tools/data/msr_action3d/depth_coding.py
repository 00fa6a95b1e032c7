"""From depth to three channels of 8 bits: what a network of RGB frames is given.

Every coding is causal: frame t depends on frames up to t, the crop and the zero of
depth on the first frame alone. So the coding could run on a live camera, and a clip
cut short is coded as its beginning was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

# Grey levels per unit of depth (the sensor's, about 4 mm), and the grey of the first
# frame's median depth: an arm stretched to the camera stays below 255.
GREY_PER_DEPTH = 0.6
MIDDLE = 150.0
DARKEST_BODY = 40.0
# The square's side as a multiple of the person's height in the first frame: there is
# room for arms stretched up and out.
ROOM = 1.3
# What a pixel's history keeps from frame to frame: half after ten frames.
HISTORY_KEPT = 0.5 ** (1 / 10)


class View(NamedTuple):
    """How a clip is looked at, from its first frame that shows somebody.

    Attributes:
        left: Left side of the square in pixels; may be negative.
        top: Upper side.
        side: Length of its sides.
        depth: Median depth of the person.
    """

    left: int
    top: int
    side: int
    depth: float


def find_view(depth: np.ndarray) -> View:
    """Return the view of a clip.

    Args:
        depth: `[T, H, W]`, 0 where there is no person.

    Raises:
        ValueError: No frame shows a person.
    """
    for frame in depth:
        rows, columns = np.nonzero(frame)
        if len(rows):
            break
    else:
        raise ValueError("no frame shows a person: all depths are 0")
    bottom, top = rows.max() + 1, rows.min()
    side = max(1, round(ROOM * (bottom - top)))
    left = round(float(np.median(columns)) - side / 2)
    # A twentieth of room below the feet.
    return View(
        left, int(bottom + side // 20 - side), side, float(np.median(frame[frame > 0]))
    )


def grey_frames(depth: np.ndarray, size: int) -> np.ndarray:
    """Crop, scale and shift a clip: near is bright, background black.

    Args:
        depth: `[T, H, W]`.
        size: Side of the result in pixels.

    Returns:
        float32 `[T, size, size]`, 0 to 255.
    """
    view = find_view(depth)
    grey = MIDDLE - GREY_PER_DEPTH * (depth.astype(np.float32) - view.depth)
    grey = np.where(depth > 0, grey.clip(DARKEST_BODY, 255), 0).astype(np.float32)
    return np.stack([_crop(frame, view, size) for frame in grey])


def _crop(frame: np.ndarray, view: View, size: int) -> np.ndarray:
    height, width = frame.shape
    right, bottom = view.left + view.side, view.top + view.side
    inside = frame[max(view.top, 0) : bottom, max(view.left, 0) : right]
    square = cv2.copyMakeBorder(
        inside,
        max(-view.top, 0),
        max(bottom - height, 0),
        max(-view.left, 0),
        max(right - width, 0),
        cv2.BORDER_CONSTANT,
    )
    way = cv2.INTER_AREA if size < view.side else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=way)


def code_grey(grey: np.ndarray) -> np.ndarray:
    """Depth in all three channels."""
    return np.repeat(grey[..., None], 3, axis=-1)


def code_normals(grey: np.ndarray) -> np.ndarray:
    """Depth, and the slope of the body's surface to the right and downwards."""
    smooth = np.stack([cv2.GaussianBlur(frame, (5, 5), 0) for frame in grey])
    body = grey > 0
    down, right = np.gradient(smooth, axis=(1, 2))
    # At the outline the slope is that to the background: steep, cut at both ends.
    slopes = [np.where(body, 128 + 8 * slope, 128) for slope in (right, down)]
    return np.stack([grey, *slopes], axis=-1)


def code_motion(grey: np.ndarray) -> np.ndarray:
    """Depth, its change since the last frame, and a fading history of changes.

    The history is Bobick and Davis's motion history image (PAMI 2001) of the depth,
    with exponential fading: the path of a hand stays visible for a second.
    """
    smooth = np.stack([cv2.GaussianBlur(frame, (3, 3), 0) for frame in grey])
    change = np.diff(smooth, axis=0, prepend=smooth[:1])
    history = np.zeros_like(change)
    for t in range(1, len(change)):
        # Small changes are the sensor's noise.
        moved = 2 * (np.abs(change[t]) - 12).clip(0)
        history[t] = np.maximum(HISTORY_KEPT * history[t - 1], moved.clip(0, 255))
    return np.stack([grey, 128 + change, history], axis=-1)


CODINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "grey": code_grey,
    "normals": code_normals,
    "motion": code_motion,
}


def code_clip(depth: np.ndarray, coding: str, size: int) -> np.ndarray:
    """Code a clip.

    Args:
        depth: `[T, H, W]`, 0 where there is no person.
        coding: Name in `CODINGS`.
        size: Side of the frames in pixels.

    Returns:
        uint8 `[T, size, size, 3]`, the channels in RGB order.

    Raises:
        ValueError: No frame shows a person.
    """
    return CODINGS[coding](grey_frames(depth, size)).round().clip(0, 255).astype("u1")
