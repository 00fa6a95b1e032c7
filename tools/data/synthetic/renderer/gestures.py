"""From a class to the motion of a hand over a whole clip."""

from __future__ import annotations

import numpy as np

from . import poses
from .classes import CLASSES, FLIP_LABEL_MAP, NO_GESTURE
from .hand import rotation
from .motion import Motion, Phases, blend, draw_phases, wander
from .person import Person
from .postures import POSTURES
from .strokes import STROKES, Active


def _act(
    label: int, progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    if label in POSTURES:
        return POSTURES[label](progress, rng, person)
    if label in STROKES:
        return STROKES[label](progress, rng, person)
    return STROKES[label - 1](1.0 - progress, rng, person)


def _rise_and_fall(
    active: Active, phases: Phases, rng: np.random.Generator, person: Person
) -> Motion:
    """Join the gesture to rest below the picture at both ends."""
    frames = len(active.centre)
    relaxed = poses.RELAXED + rng.normal(0, 4, poses.POSE_SIZE)
    rest_angles = np.array([rng.uniform(5, 45), 10.0, rng.uniform(60, 150), 0.0])
    # The hand turns and opens on the last part of its way up: what separates a
    # swipe down from the mere lowering of a hand is its pose.
    pose = blend(relaxed, active.pose + person.pose_habit, phases.formed)
    active_angles = active.angles + [person.tilt_habit, 0.0, 0.0, 0.0]
    angles = blend(rest_angles, active_angles, phases.formed)
    up = -rotation(active_angles)[:, :, 1]
    wrist = active.centre - active.anchor * person.hand.length * up
    rest = np.array([rng.uniform(-0.45, -0.15), rng.uniform(0.95, 1.12), 1.05])
    wrist = blend(rest, wrist, phases.raised)
    arc = 4.0 * phases.raised * (1.0 - phases.raised)
    wrist[:, 0] -= rng.uniform(0.0, 0.12) * arc
    tremor = wander(rng, frames, 6)
    return Motion(
        wrist=wrist + 0.006 * tremor[:, :3] * [1.0, 1.0, 0.7],
        angles=angles + 2.0 * np.pad(tremor[:, 3:], ((0, 0), (0, 1))),
        pose=pose,
        mirror=np.ones(frames),
    )


def perform(
    label: int,
    person: Person,
    rng: np.random.Generator,
    num_frames: int,
    whole: bool = False,
) -> tuple[Motion, Phases]:
    """Draw one performance of a class and its time course.

    Either hand is as likely. The left hand does the mirror image of what the right
    hand does for the mirrored class, so mirroring a clip left to right gives a clip
    of `FLIP_LABEL_MAP`'s class with exactly that class's distribution.

    Args:
        label: Class index, 0..26.
        person: Who does it.
        rng: Source of randomness.
        num_frames: Length of the clip, at least 2.
        whole: Always from rest to rest; otherwise some clips start or end with the
            hand up, like recordings cut short.

    Raises:
        ValueError: The label or the length is out of range.
    """
    if not 0 <= label < len(CLASSES):
        raise ValueError(f"label {label} is out of range: expected 0..26")
    if num_frames < 2:
        raise ValueError(f"num_frames = {num_frames}: a motion needs at least 2")
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        label = FLIP_LABEL_MAP.get(label, label)
    if label == NO_GESTURE:
        steady = np.ones(num_frames)
        progress = np.linspace(0, 1, num_frames)
        phases = Phases(steady, steady, progress, (0, num_frames))
    else:
        phases = draw_phases(rng, num_frames, person.tempo, whole)
    # A mirrored hand must reach the head where the drawing will have it.
    actor = person.mirrored() if mirrored else person
    active = _act(label, phases.progress, rng, actor)
    motion = _rise_and_fall(active, phases, rng, person)
    if mirrored:
        motion.mirror[:] = -1.0
    return motion, phases


def draw_motion(
    label: int, person: Person, rng: np.random.Generator, num_frames: int
) -> Motion:
    """Draw one performance of a class as in a clip of its own; see `perform`."""
    return perform(label, person, rng, num_frames)[0]
