"""The central movement of the gestures that come in pairs of opposite direction.

Every stroke is a function of progress alone (0 to 1), written for the first class of
its pair in the form that the person's right hand does, which is seen on the left of
the picture. The second class is the same function run from 1 to 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import poses
from .motion import blend, ease
from .person import Person


@dataclass(frozen=True)
class Active:
    """What the raised hand does.

    Attributes:
        centre: `[T, 3]` position of the hand's anchor in camera space.
        angles: `[T, 4]` degrees.
        pose: `[T, 18]` degrees.
        anchor: Where on the hand `centre` lies, in hand lengths from the wrist;
            negative on the forearm.
    """

    centre: np.ndarray
    angles: np.ndarray
    pose: np.ndarray
    anchor: float = 0.45


Stroke = Callable[[np.ndarray, np.random.Generator, Person], Active]


def stack(*columns: np.ndarray | float) -> np.ndarray:
    """Columns (arrays `[T]` or numbers) to `[T, len(columns)]`."""
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(float)


def still(pose: np.ndarray, like: np.ndarray) -> np.ndarray:
    """One pose for all frames."""
    return np.broadcast_to(pose, (len(like), poses.POSE_SIZE))


def _sideways(person: Person, rng: np.random.Generator, size: float) -> float:
    reach = person.half_width - 0.24
    return reach * rng.uniform(0.72, 1.0) * size * person.amplitude


def swipe_sideways(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """A flat hand sweeps across the picture, to the left at progress 1."""
    way = 1.0 - 2.0 * ease(progress)
    size = _sideways(person, rng, 1.0)
    height, bow = rng.normal(0.03, 0.06), rng.uniform(-0.05, 0.03)
    lean = rng.uniform(10, 35)
    x = rng.normal(0, 0.03) + size * way
    y = height - bow * (1 - way**2)
    z = rng.normal(1.0, 0.06) - rng.uniform(0, 0.08) * (1 - way**2)
    tilt = lean * way + rng.normal(0, 8)
    angles = stack(tilt, rng.normal(5, 8), -rng.uniform(5, 50), 0.0)
    return Active(stack(x, y, z), angles, still(poses.FLAT, way))


def swipe_upright(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """A flat hand pointing inwards sweeps down at progress 1."""
    way = 1.0 - 2.0 * ease(progress)  # 1 at the top, -1 at the bottom
    size = rng.uniform(0.22, 0.30) * person.amplitude
    lean = rng.uniform(8, 22)
    y = rng.normal(0.04, 0.03) - size * way
    x = rng.normal(0.0, 0.08) + rng.normal(0, 0.03) * way
    z = rng.normal(1.0, 0.06) - rng.uniform(0, 0.06) * (1 - way**2)
    tilt = rng.uniform(55, 80) - lean * way
    pitch = rng.normal(10, 8) + rng.uniform(0, 15) * way
    angles = stack(tilt, pitch, rng.normal(0, 18), 0.0)
    return Active(stack(x, y, z), angles, still(poses.FLAT, way))


def slide_sideways(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """Two stretched fingers slide across the picture, to the left at progress 1."""
    way = 1.0 - 2.0 * ease(progress)
    size = _sideways(person, rng, 0.85)
    lean = rng.uniform(5, 22)
    x = rng.normal(0, 0.03) + size * way
    y = rng.normal(0.04, 0.06) - rng.uniform(-0.04, 0.02) * (1 - way**2)
    z = rng.normal(1.0, 0.06)
    tilt = lean * way + rng.normal(0, 8)
    angles = stack(tilt, rng.normal(12, 8), -rng.uniform(-10, 35), 0.0)
    return Active(stack(x, y, z), angles, still(poses.TWO_FINGERS, way))


def slide_upright(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """Two stretched fingers slide down at progress 1."""
    way = 1.0 - 2.0 * ease(progress)
    size = rng.uniform(0.17, 0.25) * person.amplitude
    y = rng.normal(0.06, 0.03) - size * way
    x = rng.normal(0.0, 0.09) + rng.normal(0, 0.02) * way
    z = rng.normal(1.0, 0.06)
    tilt = rng.uniform(15, 60) - rng.uniform(0, 12) * way
    pitch = rng.normal(12, 8) + rng.uniform(0, 12) * way
    angles = stack(tilt, pitch, rng.normal(-5, 14), 0.0)
    return Active(stack(x, y, z), angles, still(poses.TWO_FINGERS, way))


def _push(
    progress: np.ndarray,
    rng: np.random.Generator,
    person: Person,
    pose: np.ndarray,
    pitch: float,
) -> Active:
    way = 1.0 - 2.0 * ease(progress)  # 1 far from the camera, -1 near
    depth = rng.uniform(0.27, 0.36) * min(person.amplitude, 1.05)
    z = rng.normal(1.02, 0.04) + depth * way
    x = rng.normal(-0.04, 0.09) + rng.normal(0, 0.02) * way
    y = rng.normal(0.10, 0.05) + rng.uniform(-0.03, 0.03) * way
    bend = rng.uniform(-4, 10)
    angles = stack(rng.normal(0, 8), pitch + bend * way, rng.normal(0, 14), 0.0)
    return Active(stack(x, y, z), angles, still(pose, way))


def push_hand(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """An open palm moves from the person towards the camera."""
    return _push(progress, rng, person, poses.SPREAD, rng.normal(3, 6))


def push_two_fingers(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """Two stretched fingers move from the person towards the camera."""
    return _push(progress, rng, person, poses.TWO_FINGERS, rng.normal(9, 6))


def roll(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """A hand circles, its upper half towards the camera, and turns as it goes.

    The circle stands upright along the line of sight: what frames show is height and
    size. The hand opens and tips over in front and closes on its way back.
    """
    turns = rng.uniform(1.1, 1.6)
    angle = 2 * np.pi * (turns * (progress - 0.5) + rng.random())
    radius = rng.uniform(0.15, 0.20) * person.amplitude
    up, near = np.cos(angle), np.sin(angle)
    y = rng.normal(0.05, 0.04) - radius * up
    x = rng.normal(0.02, 0.06) + rng.uniform(0.02, 0.07) * near
    z = rng.normal(1.0, 0.05) - rng.uniform(0.26, 0.34) * near
    tilt = rng.uniform(50, 75) - rng.uniform(5, 20) * up
    pitch = rng.normal(10, 6) + rng.uniform(20, 35) * near
    yaw = rng.normal(0, 10) - rng.uniform(20, 35) * near
    pose = blend(poses.FIST, poses.SPREAD, 0.5 + 0.45 * near)
    return Active(stack(x, y, z), stack(tilt, pitch, yaw, 0.0), pose)


def turn(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """A hand as if around a knob turns clockwise as seen in the picture."""
    way = 2.0 * ease(progress) - 1.0
    x = rng.normal(-0.02, 0.08) + rng.normal(0, 0.02) * way
    y = rng.normal(0.03, 0.06) + rng.uniform(0, 0.03) * way**2
    z = rng.normal(1.0, 0.06)
    tilt = rng.normal(0, 8) + rng.uniform(52, 78) * way
    angles = stack(tilt, rng.normal(18, 8), rng.normal(0, 10), 0.0)
    return Active(stack(x, y, z), angles, still(poses.CLAW, way))


def _zoom(
    progress: np.ndarray,
    rng: np.random.Generator,
    closed: np.ndarray,
    opened: np.ndarray,
) -> Active:
    weight = ease(progress)
    x, y = rng.normal(-0.03, 0.09), rng.normal(0.04, 0.06)
    centre = stack(x, y, np.full(len(progress), rng.normal(1.0, 0.06)))
    tilt = rng.normal(5, 10) + rng.normal(0, 4) * weight
    angles = stack(tilt, rng.normal(10, 8), rng.normal(0, 15), 0.0)
    return Active(centre, angles, blend(closed, opened, weight))


def zoom_hand(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """All fingers spread from a point."""
    return _zoom(progress, rng, poses.PINCH_ALL, poses.SPREAD)


def zoom_two_fingers(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """Thumb and index finger part."""
    return _zoom(progress, rng, poses.PINCH_TWO, poses.SPLIT_TWO)


# The first class of each pair.
STROKES: dict[int, Stroke] = {
    0: swipe_sideways,
    2: swipe_upright,
    4: push_hand,
    6: slide_sideways,
    8: slide_upright,
    10: push_two_fingers,
    12: roll,
    14: turn,
    16: zoom_hand,
    18: zoom_two_fingers,
}
