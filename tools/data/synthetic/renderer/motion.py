"""Motion of a hand over time, and its parts shared by all gestures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Motion:
    """One hand over `T` frames.

    Attributes:
        wrist: `[T, 3]` camera space, see :mod:`.hand`.
        angles: `[T, 4]` degrees, see :func:`.hand.rotation`.
        pose: `[T, 18]` degrees, see :mod:`.poses`.
        mirror: `[T]`; 1 for the hand as it is, -1 for its mirror image (the other
            hand).
    """

    wrist: np.ndarray
    angles: np.ndarray
    pose: np.ndarray
    mirror: np.ndarray

    def __len__(self) -> int:
        return len(self.wrist)

    def __getitem__(self, frames: slice | np.ndarray) -> Motion:
        return Motion(
            self.wrist[frames],
            self.angles[frames],
            self.pose[frames],
            self.mirror[frames],
        )

    def at_rate(self, factor: float) -> Motion:
        """The same movement in `factor` times as many frames."""
        if factor == 1:
            return self
        time = np.arange(round(len(self) * factor)) / factor
        first = np.minimum(time.astype(int), len(self) - 1)
        after, share = self[np.minimum(first + 1, len(self) - 1)], time - first
        now = self[first]
        return Motion(
            blend(now.wrist, after.wrist, share),
            blend(now.angles, after.angles, share),
            blend(now.pose, after.pose, share),
            now.mirror,
        )

    @staticmethod
    def join(parts: list[Motion]) -> Motion:
        """Put motions one after the other."""
        return Motion(
            np.concatenate([part.wrist for part in parts]),
            np.concatenate([part.angles for part in parts]),
            np.concatenate([part.pose for part in parts]),
            np.concatenate([part.mirror for part in parts]),
        )


def ease(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk progress from 0 to 1, point symmetric, flat outside."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10.0 + x * (6.0 * x - 15.0))


def blend(start: np.ndarray, end: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Frame-wise linear mix, `weight` `[T]` in 0..1."""
    return start + (end - start) * weight[:, None]


def wander(rng: np.random.Generator, frames: int, size: int) -> np.ndarray:
    """Slow smooth noise `[frames, size]` of unit scale: involuntary movement."""
    time = np.arange(frames)[:, None, None]
    period = rng.uniform(7.0, 30.0, (1, size, 3))
    phase = rng.uniform(0, 2 * np.pi, (1, size, 3))
    return np.sin(2 * np.pi * time / period + phase).sum(-1) * 0.6


@dataclass(frozen=True)
class Phases:
    """Time course of one gesture, all `[T]` in 0..1.

    Attributes:
        raised: 0 at rest, 1 with the hand raised.
        formed: 0 with the hand relaxed, 1 in the gesture's pose.
        progress: Linear progress of the stroke.
        core: First frame of the stroke, and the frame after its last.
    """

    raised: np.ndarray
    formed: np.ndarray
    progress: np.ndarray
    core: tuple[int, int]


def draw_phases(
    rng: np.random.Generator, frames: int, tempo: float, whole: bool = False
) -> Phases:
    """Draw rest, raise, hold, stroke, hold, lower, rest.

    The two ends come from the same distribution, so that a clip played backwards is
    as likely as the clip: opposite gestures differ in nothing but direction. A
    quarter of the clips start with the hand already up, and a quarter end so.

    Args:
        rng: Source of randomness.
        frames: Number of frames `T`.
        tempo: Above 1 for a person who moves fast.
        whole: Always from rest to rest.
    """

    def one_end() -> tuple[float, float, float]:
        rest, move = rng.uniform(0.0, 0.06), rng.uniform(0.11, 0.19)
        hold = rng.uniform(0.02, 0.08)
        if not whole and rng.random() < 0.25:
            rest = move = 0.0
            hold = rng.uniform(0.04, 0.12)
        return rest, move, hold

    rest_a, raise_, hold_a = one_end()
    rest_b, lower, hold_b = one_end()
    stroke = rng.uniform(0.5, 0.65) / tempo
    edges = np.cumsum([rest_a, raise_, hold_a, stroke, hold_b, lower, rest_b])
    edges /= edges[-1]
    # Frames sit at the middles of T equal spans: symmetric under time reversal.
    time = (np.arange(frames) + 0.5) / frames

    def ramp(start: float, end: float) -> np.ndarray:
        if end - start < 1e-6:
            return np.where(time >= start, 1.0, 0.0)
        return np.clip((time - start) / (end - start), 0.0, 1.0)

    a0, a1, a2, b2, b1, b0 = edges[:6]
    mid_a, mid_b = (a0 + a1) / 2, (b1 + b0) / 2
    raised = ease(ramp(a0, a1)) * (1.0 - ease(ramp(b1, b0)))
    formed = ease(ramp(mid_a, a2)) * (1.0 - ease(ramp(b2, mid_b)))
    core = int(np.searchsorted(time, a2)), int(np.searchsorted(time, b2))
    return Phases(raised, formed, ramp(a2, b2), core)
