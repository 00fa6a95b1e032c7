"""The classification tasks that can be rendered: what a class is and how to do it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar, Protocol

import numpy as np

from .classes import CLASSES
from .gestures import draw_motion
from .motion import Motion
from .person import Person
from .sequence import draw_sequence


class Task(Protocol):
    """What the data set writer needs to know; fields are saved as settings.

    Attributes:
        name: First part of the names of all list files.
        frame_folder: Folder of the clips as frames.
    """

    name: ClassVar[str]
    frame_folder: ClassVar[str]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in index order."""
        ...

    def draw(
        self, label: int, person: Person, rng: np.random.Generator, num_frames: int
    ) -> Motion:
        """Perform a class in about `num_frames` frames."""
        ...


@dataclass(frozen=True)
class JesterTask:
    """One of Jester's 27 gestures per clip."""

    name: ClassVar[str] = "jester"
    frame_folder: ClassVar[str] = "20bn-jester-v1"

    @property
    def classes(self) -> tuple[str, ...]:
        """The 27 classes of Jester."""
        return CLASSES

    def draw(
        self, label: int, person: Person, rng: np.random.Generator, num_frames: int
    ) -> Motion:
        """One gesture of exactly `num_frames` frames."""
        return draw_motion(label, person, rng, num_frames)


# Gestures that mirroring leaves alone and that are told apart with ease, so that
# what is hard about the ordered task is memory and not recognition.
STEPS: tuple[str, ...] = (
    "Thumb Up",
    "Pushing Hand Away",
    "Swiping Down",
    "Shaking Hand",
)


@dataclass(frozen=True)
class OrderedTask:
    """The class is the order in which the same few gestures are made.

    Every clip holds each of the gestures exactly once: which gestures occur, and any
    single stretch of the clip, says little; a model must remember.

    Attributes:
        steps: How many gestures, 2 to 4; there are `steps!` classes.
        gap: Mean idle frames before, between and after the gestures, at least 2: how
            far apart in time the evidence lies.
    """

    steps: int = 3
    gap: float = 6.0
    name: ClassVar[str] = "ordered"
    frame_folder: ClassVar[str] = "frames"

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= len(STEPS):
            raise ValueError(f"steps = {self.steps}: expected 2 to {len(STEPS)}")
        if self.gap < 2:
            raise ValueError(f"gap = {self.gap}: expected at least 2 frames")

    @property
    def orders(self) -> list[tuple[str, ...]]:
        """The gestures of each class in order."""
        return list(permutations(STEPS[: self.steps]))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names such as `Thumb Up then Swiping Down then Pushing Hand Away`."""
        return tuple(" then ".join(order) for order in self.orders)

    def draw(
        self, label: int, person: Person, rng: np.random.Generator, num_frames: int
    ) -> Motion:
        """All gestures, `num_frames` frames each on average, with gaps."""
        gestures = [CLASSES.index(name) for name in self.orders[label]]
        return draw_sequence(gestures, person, rng, num_frames, self.gap)[0]
