"""From depth to three channels of 8 bits: what a network of RGB frames is given.

Every coding is causal: frame t depends on frames up to t. So is the view of the first
frame; that of the whole clip is not.
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
    """How a clip is looked at.

    Attributes:
        left: Left side of the square in pixels; may be negative.
        top: Upper side.
        side: Length of its sides.
        depth: The depth that becomes `grey`.
        grey: Its grey level.
        scale: Grey levels per unit of depth.
    """

    left: int
    top: int
    side: int
    depth: float
    grey: float
    scale: float


def view_of_first_frame(depth: np.ndarray) -> View:
    """Look at a person as the first frame that shows one suggests.

    A square 1.3 times as high as the person, and grey from the median depth: what a
    camera could do that does not know what will come.

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
    return View(
        left=round(float(np.median(columns)) - side / 2),
        top=int(bottom + side // 20 - side),  # room below the feet
        side=side,
        depth=float(np.median(frame[frame > 0])),
        grey=MIDDLE,
        scale=GREY_PER_DEPTH,
    )


def view_of_clip(depth: np.ndarray) -> View:
    """Look at all that the person will reach, filling the frame.

    The square around everything that is not background in any frame, and grey from
    the nearest to the farthest hundredth of the depths. It must know the whole clip.

    Args:
        depth: `[T, H, W]`, 0 where there is no person.

    Raises:
        ValueError: No frame shows a person.
    """
    rows, columns = np.nonzero(depth.any(axis=0))
    if not len(rows):
        raise ValueError("no frame shows a person: all depths are 0")
    near, far = np.percentile(depth[depth > 0], (1, 99))
    bottom, right = rows.max() + 1, columns.max() + 1
    side = int(max(bottom - rows.min(), right - columns.min()))
    return View(
        left=int(columns.min() + right - side) // 2,
        top=int(rows.min() + bottom - side) // 2,
        side=side,
        depth=float(near),
        grey=255,
        scale=(255 - DARKEST_BODY) / max(far - near, 1),
    )


VIEWS: dict[str, Callable[[np.ndarray], View]] = {
    "first": view_of_first_frame,
    "clip": view_of_clip,
}


def grey_frames(depth: np.ndarray, size: int, crop: str) -> np.ndarray:
    """Crop, scale and shift a clip: near is bright, background black.

    Args:
        depth: `[T, H, W]`.
        size: Side of the result in pixels.
        crop: Name in `VIEWS`.

    Returns:
        float32 `[T, size, size]`, 0 to 255.

    Raises:
        ValueError: No frame shows a person.
    """
    view = VIEWS[crop](depth)
    grey = view.grey - view.scale * (depth.astype(np.float32) - view.depth)
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


def code_clip(depth: np.ndarray, coding: str, size: int, crop: str) -> np.ndarray:
    """Code a clip.

    Args:
        depth: `[T, H, W]`, 0 where there is no person.
        coding: Name in `CODINGS`.
        size: Side of the frames in pixels.
        crop: Name in `VIEWS`.

    Returns:
        uint8 `[T, size, size, 3]`, the channels in RGB order.

    Raises:
        ValueError: No frame shows a person.
    """
    coded = CODINGS[coding](grey_frames(depth, size, crop))
    return coded.round().clip(0, 255).astype(np.uint8)
