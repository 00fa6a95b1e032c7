"""Render a motion as a clip of frames."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .drawing import HandDrawing
from .gestures import draw_motion
from .motion import Motion
from .person import FRAME_HEIGHT, Person
from .scene import SHIFT, Scene, fixed

# Long videos are laid out piece by piece to bound memory.
_PIECE = 256


def _smear(picture: np.ndarray, box: np.ndarray, step: np.ndarray) -> None:
    """Blur the hand's box along its movement.

    The blur is symmetric, so it shows the axis of the movement but not which way.
    """
    length = float(np.hypot(*step))
    if length < 2.0:
        return
    height, width = picture.shape[:2]
    left, top = np.maximum(np.floor(box[:2]).astype(int) - 3, 0)
    right, bottom = np.minimum(np.ceil(box[2:]).astype(int) + 3, (width, height))
    if right - left < 2 or bottom - top < 2:
        return
    reach = min(length * 0.25, 3.0)
    kernel = np.zeros((7, 7), np.float32)
    ahead = fixed(3 + reach * step / length)
    behind = fixed(3 - reach * step / length)
    cv2.line(kernel, behind.tolist(), ahead.tolist(), 1.0, 1, cv2.LINE_8, SHIFT)
    window = picture[top:bottom, left:right]
    window[:] = cv2.filter2D(window, -1, kernel / kernel.sum())


def iter_frames(
    motion: Motion, person: Person, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw a motion frame by frame, in memory independent of its length.

    Args:
        motion: What the hand does over `T` frames.
        person: Whose hand, room and camera.
        rng: Source of randomness for camera and sensor.

    Yields:
        `[100, person.width, 3]` uint8 frames, channels in OpenCV's order (blue,
        green, red).
    """
    scene = Scene(person, rng, len(motion))
    smears = rng.random() < 0.7
    for first in range(0, len(motion), _PIECE):
        piece = motion[first : first + _PIECE]
        camera = scene.camera[first : first + _PIECE]
        hand = HandDrawing(piece, person, camera, scene.shade)
        step = np.gradient(hand.centre, axis=0) if len(piece) > 1 else hand.centre * 0
        for offset in range(len(piece)):
            picture = scene.backdrop(first + offset)
            hand.draw(picture, offset)
            if smears:
                _smear(picture, hand.box[offset], step[offset])
            yield scene.develop(picture, first + offset)


def render_motion(
    motion: Motion, person: Person, rng: np.random.Generator
) -> np.ndarray:
    """Draw a motion as one array `[T, 100, person.width, 3]`; see `iter_frames`."""
    clip = np.empty((len(motion), FRAME_HEIGHT, person.width, 3), np.uint8)
    for frame, picture in enumerate(iter_frames(motion, person, rng)):
        clip[frame] = picture
    return clip


def render_clip(
    label: int, person: Person, rng: np.random.Generator, num_frames: int
) -> np.ndarray:
    """Draw one clip of a class.

    Args:
        label: Class index into :data:`.classes.CLASSES`.
        person: Who performs.
        rng: Source of randomness; its state alone decides the clip.
        num_frames: Length of the clip, at least 2.

    Returns:
        `[num_frames, 100, person.width, 3]` uint8, blue-green-red.

    Raises:
        ValueError: The label or the length is out of range.
    """
    motion = draw_motion(label, person, rng, num_frames)
    return render_motion(motion, person, rng)
