"""The gestures without a direction, and the two classes that are no gesture."""

from __future__ import annotations

import numpy as np

from . import poses
from .motion import ease, wander
from .person import Person
from .strokes import Active, Stroke, stack, still


def _place(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    return stack(
        rng.normal(-0.04, 0.10) + 0 * like, rng.normal(0.03, 0.07), rng.normal(1, 0.08)
    )


def _thumb(
    progress: np.ndarray, rng: np.random.Generator, yaw: float, side: float
) -> Active:
    """A fist with the thumb out, given a push that way; `side` 1 is down."""
    centre = _place(rng, progress)
    centre[:, 1] += side * rng.uniform(0.05, 0.12) * (ease(2.5 * progress) - 0.5)
    angles = stack(rng.normal(0, 8) + 0 * progress, rng.normal(0, 8), yaw, 90.0 * side)
    return Active(centre, angles, still(poses.THUMB, progress), 0.35)


def thumb_up(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """A fist with the thumb up."""
    return _thumb(progress, rng, rng.uniform(140, 185), -1.0)


def thumb_down(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """A fist with the thumb down."""
    return _thumb(progress, rng, rng.uniform(-25, 30), 1.0)


def shake(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """An open hand waves from side to side about the wrist or the elbow."""
    cycles = rng.uniform(2.0, 3.2)
    swing = np.sin(2 * np.pi * (cycles * progress + rng.random()))
    tilt = rng.normal(0, 6) + rng.uniform(20, 34) * person.amplitude * swing
    pose = poses.FLAT if rng.random() < 0.3 else poses.SPREAD
    anchor = -rng.uniform(0.0, 0.5)
    x, z = rng.normal(-0.05, 0.08), rng.normal(1.0, 0.07)
    y = rng.normal(0.05, 0.05) + (0.45 - anchor) * person.hand.length
    angles = stack(tilt, rng.normal(3, 6), rng.normal(0, 12), 0.0)
    return Active(stack(x + 0 * tilt, y, z), angles, still(pose, tilt), anchor)


def stop_sign(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """An open palm held still towards the camera."""
    angles = stack(
        rng.normal(0, 8) + 0 * progress, rng.normal(0, 6), rng.normal(0, 12), 0.0
    )
    return Active(_place(rng, progress), angles, still(poses.FLAT, progress))


def drum(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """The fingers beat the air one after the other."""
    cycles = rng.uniform(2.0, 3.2)
    lag = rng.choice([-1, 1]) * rng.uniform(0.12, 0.2)
    phase = cycles * progress[:, None] + rng.random() + lag * np.arange(4)
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * phase)  # [T, 4]
    pose = still(poses.SPREAD * 0.6 + poses.FLAT * 0.4, progress).copy()
    pose[:, 0:12:3] = 4 + rng.uniform(60, 75) * beat
    pose[:, 1:12:3] = 6 + 32 * beat
    angles = stack(
        rng.normal(22, 10) + 0 * progress,
        rng.normal(14, 8),
        rng.normal(0, 14),
        0.0,
    )
    return Active(_place(rng, progress), angles, pose)


def _scratch_head(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    x, y, across, _ = person.head
    rub = np.sin(2 * np.pi * (rng.uniform(1.5, 3.5) * progress + rng.random()))
    high = rng.uniform(-0.14, 0.06)
    centre = stack(x - across * 0.5 + 0.02 * rub, y + high + 0.03 * rub, 1.12)
    pose = still(poses.RELAXED * 0.9, progress) + 12 * rub[:, None] * (
        np.arange(18) < 12
    )
    tilt = rng.uniform(25, 55) + 0 * rub
    return Active(centre, stack(tilt, 0.0, rng.uniform(100, 180), 0.0), pose, 0.7)


def _point(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    sway = wander(rng, len(progress), 2)
    angles = stack(
        rng.uniform(-20, 60) + 8 * sway[:, 0],
        rng.uniform(55, 85) + 8 * sway[:, 1],
        rng.normal(0, 20),
        0.0,
    )
    centre = _place(rng, progress) + 0.03 * sway[:, [0, 1, 1]]
    return Active(centre, angles, still(poses.POINT, progress))


def _drink(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    x, y, across, down = person.head
    lift = np.sin(np.pi * np.clip(progress, 0, 1))
    centre = stack(x - across * (1.6 - 1.2 * lift), y + down * (1.6 - lift), 1.1)
    angles = stack(50 - 30 * lift, 0.0, rng.uniform(60, 120), 0.0)
    return Active(centre, angles, still(poses.RELAXED * 1.2, progress))


def _leave(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    start = np.array([rng.uniform(-0.3, 0.1), rng.uniform(-0.1, 0.15), 1.0])
    away = rng.choice([-1, 1]) * (person.half_width + 0.35)
    end = np.array([away, rng.uniform(-0.5, 0.3), rng.uniform(0.8, 1.2)])
    there = progress if rng.random() < 0.5 else 1.0 - progress
    centre = start + (end - start) * there[:, None]
    angles = stack(rng.uniform(-40, 60) + 0 * progress, 0.0, rng.uniform(0, 180), 0.0)
    return Active(centre, angles, still(poses.RELAXED, progress))


def _fidget(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    sway = wander(rng, len(progress), 6)
    size = rng.uniform(0.10, 0.18)
    centre = _place(rng, progress) + size * sway[:, :3] * [1.0, 0.8, 0.5]
    angles = stack(*(25 * sway[:, 3:6].T), 0.0)
    angles[:, 0] += rng.uniform(-30, 60)
    angles[:, 2] += rng.choice([0.0, 180.0])
    return Active(centre, angles, still(poses.RELAXED, progress))


# With how likely each is: a pointing hand at rest is much like a thumb, so it is rare.
_OTHER_THINGS = (_scratch_head, _point, _drink, _leave, _fidget)
_HOW_OFTEN = (0.25, 0.1, 0.15, 0.25, 0.25)


def do_other_things(
    progress: np.ndarray, rng: np.random.Generator, person: Person
) -> Active:
    """Scratch the head, point, drink, leave the picture, move about."""
    thing = rng.choice(len(_OTHER_THINGS), p=_HOW_OFTEN)
    return _OTHER_THINGS[thing](progress, rng, person)


def rest(progress: np.ndarray, rng: np.random.Generator, person: Person) -> Active:
    """A relaxed hand lies low in the picture, or below it."""
    sway = wander(rng, len(progress), 3)
    low = rng.uniform(0.45, 0.95)
    centre = np.array([rng.uniform(-0.45, 0.1), low, rng.normal(1.05, 0.05)])
    angles = stack(
        rng.uniform(10, 70) + 3 * sway[:, 0],
        rng.uniform(0, 40),
        rng.uniform(120, 200),
        0.0,
    )
    pose = still(poses.RELAXED, progress) + 3 * sway[:, :1]
    return Active(centre + 0.012 * sway, angles, pose)


POSTURES: dict[int, Stroke] = {
    20: thumb_up,
    21: thumb_down,
    22: shake,
    23: stop_sign,
    24: drum,
    25: rest,
    26: do_other_things,
}
