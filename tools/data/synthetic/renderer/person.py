"""A synthetic person: body, hand, clothes, room, camera and manner of moving."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .hand import HandShape
from .poses import POSE_SIZE

SPLITS: tuple[str, ...] = ("train", "validation")
# Enough people that a model must learn the gesture rather than the person.
PEOPLE: dict[str, int] = {"train": 1200, "validation": 200}
FRAME_HEIGHT = 100
DEFAULT_CLUTTER = 0.5
# Jester's clips are 100 pixels high and of several widths.
FRAME_WIDTHS: tuple[int, ...] = (132, 136, 140, 144, 150, 156, 160, 170, 176)

# Ends of the range of skin colours, blue-green-red.
_LIGHT_SKIN = np.array([178.0, 198.0, 236.0])
_DARK_SKIN = np.array([44.0, 60.0, 98.0])

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """Everything that stays the same over all clips of one person.

    Lengths are in picture heights at depth 1, colours blue-green-red in 0..255,
    angles in degrees.
    """

    name: str
    width: int
    hand: HandShape
    skin: np.ndarray
    palm_tint: float
    sleeve: np.ndarray
    sleeve_reach: float
    sleeve_width: float
    hair: np.ndarray
    shows_body: bool
    head: tuple[float, float, float, float]
    shoulders: tuple[float, float]
    room_seed: int
    clutter: float
    light: tuple[float, float]
    gain: float
    noise: float
    blur: float
    jitter: float
    pose_habit: np.ndarray
    tilt_habit: float
    amplitude: float
    tempo: float
    elbow: tuple[float, float]

    @property
    def half_width(self) -> float:
        """Half the picture's width in picture heights."""
        return self.width / (2 * FRAME_HEIGHT)

    def mirrored(self) -> Person:
        """The person as seen in a mirror, for what the hand does near the head."""
        across, *rest = self.head
        return replace(self, head=(-across, *rest))


def make_person(
    split: str, number: int, seed: int, clutter: float = DEFAULT_CLUTTER
) -> Person:
    """Draw person `number` of a split; the splits share nobody.

    Args:
        split: `train` or `validation`.
        number: Which person, 0 <= number < `PEOPLE[split]`.
        seed: Seed of the whole data set.
        clutter: How much of a picture has nothing to do with the gesture, 0 to 1:
            texture, furniture and sliding of the room, a body in view, uneven light,
            noise, shake.

    Raises:
        ValueError: The split is unknown, or the number or clutter out of range.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: expected one of {SPLITS}")
    if not 0 <= number < PEOPLE[split]:
        raise ValueError(
            f"person {number} is out of range: {split} has {PEOPLE[split]} people"
        )
    if not 0 <= clutter <= 1:
        raise ValueError(f"clutter = {clutter}: expected 0 to 1")
    rng = np.random.default_rng([seed, 1, SPLITS.index(split), number])
    tone = rng.beta(1.1, 1.3)
    skin = _LIGHT_SKIN + tone * (_DARK_SKIN - _LIGHT_SKIN)
    skin = np.clip(skin * rng.normal(1.0, 0.04, 3), 20, 250)
    hue = rng.uniform(25, 225, 3)
    return Person(
        name=f"{split}-{number:04d}",
        width=int(rng.choice(FRAME_WIDTHS)),
        hand=HandShape(
            length=rng.uniform(0.50, 0.62),
            finger_length=rng.uniform(0.92, 1.1),
            finger_width=rng.uniform(0.88, 1.18),
            palm_width=rng.uniform(0.9, 1.12),
        ),
        skin=skin,
        palm_tint=rng.uniform(0.1, 0.3) + 0.35 * tone,
        sleeve=hue,
        sleeve_reach=rng.uniform(0.12, 0.75),
        sleeve_width=rng.uniform(1.15, 1.6),
        hair=rng.uniform(10, 110) * np.array([0.7, 0.85, 1.0]),
        shows_body=bool(rng.random() < min(1.7 * clutter, 0.95)),
        head=(
            rng.uniform(-0.15, 0.15),
            rng.uniform(-0.30, -0.12),
            rng.uniform(0.11, 0.16),
            rng.uniform(0.15, 0.21),
        ),
        shoulders=(rng.uniform(0.26, 0.42), rng.uniform(0.12, 0.26)),
        room_seed=int(rng.integers(2**31)),
        clutter=clutter,
        light=(rng.uniform(-0.9, 0.9) * clutter, rng.uniform(-0.7, 0.7) * clutter),
        gain=rng.uniform(0.75, 1.15),
        noise=1.0 + rng.uniform(0.0, 8.0) * clutter,
        blur=rng.uniform(0.0, 0.9),
        jitter=rng.choice([0.0, 0.003, 0.008]) * rng.uniform(0.5, 1.5) * clutter,
        pose_habit=rng.normal(0, 4.0, POSE_SIZE),
        tilt_habit=rng.normal(0, 6.0),
        amplitude=rng.uniform(0.85, 1.15),
        tempo=rng.uniform(0.8, 1.25),
        elbow=(rng.uniform(-0.62, -0.3), rng.uniform(0.85, 1.15)),
    )
