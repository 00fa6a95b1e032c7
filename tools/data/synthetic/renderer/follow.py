"""Motion of a hand along a recorded path."""

from __future__ import annotations

import numpy as np

from . import poses
from .motion import Motion
from .person import Person
from .strokes import stack, still

# Picture heights. The hand stands far enough off to leave its path room.
PATH_SIDE = 0.62
_DEPTH = 1.9
_HAND_POSES = (poses.FLAT, poses.SPREAD, poses.TWO_FINGERS, poses.POINT)


def follow_path(path: np.ndarray, person: Person, rng: np.random.Generator) -> Motion:
    """Move a hand whose shape and attitude stay the same along a path.

    The unit square of the path becomes a square of 0.62 picture heights in the middle
    of the picture. Nothing is added to the movement but what the camera does.

    Args:
        path: `[T, 2]`, x to the right and y down, both 0 to 1; one point a frame.
        person: Whose hand.
        rng: Decides on the hand (left or right), its pose and its attitude.

    Returns:
        A motion of `T` frames.

    Raises:
        ValueError: The path has another shape or leaves the unit square.
    """
    path = np.asarray(path, float)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2:
        raise ValueError(f"path has shape {path.shape}: expected [T, 2] with T >= 2")
    if not ((path >= 0) & (path <= 1)).all():
        raise ValueError(
            f"path reaches from {path.min():.3g} to {path.max():.3g}: scale it to 0..1"
        )
    frames = len(path)
    mirror = rng.choice([-1.0, 1.0])
    place = PATH_SIDE * (path - 0.5)
    # Drawing mirrors the whole picture of a left hand; its path must stay as it is.
    place[:, 0] *= mirror
    pose = _HAND_POSES[rng.integers(len(_HAND_POSES))] + person.pose_habit
    tilt, pitch, yaw = rng.normal(15, 12), rng.normal(5, 6), rng.normal(0, 12)
    # Half a hand below its middle, at the depth where the hand is this small.
    below = 0.45 * person.hand.length / _DEPTH
    wrist = _DEPTH * stack(place[:, 0], place[:, 1] + below, 1.0)
    return Motion(
        wrist=wrist,
        angles=stack(tilt + np.zeros(frames), pitch, yaw, 0.0),
        pose=still(pose, path),
        mirror=np.full(frames, mirror),
    )
