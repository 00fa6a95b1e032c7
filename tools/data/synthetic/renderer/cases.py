"""Streams that are hard on purpose: repeated, broken off, held, slow, fast gestures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .classes import CLASSES, NO_GESTURE
from .motion import Motion, blend, ease, wander

OTHER_THINGS = CLASSES.index("Doing other things")
# Frames that a hand takes back to rest when it breaks off.
LOWERING = 6


@dataclass(frozen=True)
class Case:
    """How gestures of a stream differ from those of an ordinary one.

    Attributes:
        copies: How often each gesture comes in a row.
        group: Gestures that follow each other closely.
        gap: Mean idle frames within a group.
        pace: Factor on the gestures' length.
        cut: Share of its own movement after which a gesture breaks off, from and to.
        hold: Frames a gesture is held still after its movement, from and to.
        labels: Classes that are shown; all gestures if None.
    """

    copies: int = 1
    group: int = 1
    gap: float = 0.0
    pace: float = 1.0
    cut: tuple[float, float] | None = None
    hold: tuple[int, int] | None = None
    labels: tuple[int, ...] | None = None

    def order(self, number: int, rng: np.random.Generator) -> list[int]:
        """Classes of a video: shuffled rounds, each class `copies` times in a row."""
        gestures = self.labels or [n for n in range(len(CLASSES)) if n != NO_GESTURE]
        rounds = -(-number // (len(gestures) * self.copies))
        order = np.concatenate([rng.permutation(gestures) for _ in range(rounds)])
        return np.repeat(order, self.copies)[:number].tolist()

    def idle(self, number: int, mean_gap: float, rng: np.random.Generator) -> int:
        """Idle frames before gesture `number`, which may be one past the last."""
        within = self.group > 1 and number % self.group
        mean = self.gap if within else mean_gap
        return max(2, round(mean * rng.uniform(0.5, 1.5)))

    def change(
        self, motion: Motion, core: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Motion, tuple[int, int]]:
        """Break a performed gesture off, or hold it."""
        first, last = core
        if self.cut is not None:
            last = first + max(1, round((last - first) * rng.uniform(*self.cut)))
            way = (np.arange(LOWERING) + 1.0) / LOWERING
            motion = Motion.join([motion[:last], _between(motion, last - 1, way)])
        if self.hold is not None:
            still = motion[np.full(rng.integers(*self.hold), last - 1)]
            still.wrist[:] += 0.006 * wander(rng, len(still), 3)
            motion = Motion.join([motion[:last], still, motion[last:]])
        return motion, (first, last)


def _between(motion: Motion, frame: int, way: np.ndarray) -> Motion:
    """From a frame of a motion straight to its end."""
    weight, rest = ease(way), motion[-1:]
    now = motion[frame : frame + 1]
    return Motion(
        wrist=blend(now.wrist, rest.wrist, weight),
        angles=blend(now.angles, rest.angles, weight),
        pose=blend(now.pose, rest.pose, weight),
        mirror=np.full(len(way), rest.mirror[0]),
    )


CASES: dict[str, Case] = {
    "ordinary": Case(),
    "repeated": Case(copies=2, group=2, gap=8),
    "without_pause": Case(group=2, gap=2),
    "broken_off": Case(cut=(0.5, 0.8)),
    "held": Case(hold=(12, 25)),
    "slow": Case(pace=2.0),
    "fast": Case(pace=0.5),
    "background": Case(labels=(OTHER_THINGS,)),
}
"""Streams by name; gaps and holds count frames of 1/12 s."""
