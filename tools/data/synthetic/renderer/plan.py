"""What each clip of a synthetic data set is, before it is rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .person import DEFAULT_CLUTTER, PEOPLE, SPLITS, Person, make_person

MIN_FRAMES = 8
# Clip numbers of the two splits never meet, however many clips are rendered.
FIRST_ID: dict[str, int] = {"train": 1, "validation": 200001}
MAX_CLIPS = FIRST_ID["validation"] - FIRST_ID["train"]


@dataclass(frozen=True)
class ClipPlan:
    """One clip; a function of the data set's settings, split and index alone."""

    clip_id: int
    split: str
    index: int
    label: int
    person: int
    num_frames: int
    seed: int
    clutter: float

    def make_person(self) -> Person:
        """The person who performs."""
        return make_person(self.split, self.person, self.seed, self.clutter)

    def rng(self) -> np.random.Generator:
        """A fresh source of the clip's randomness."""
        key = SPLITS.index(self.split), self.index
        return np.random.default_rng([self.seed, 3, *key])


def plan_clip(
    seed: int,
    split: str,
    index: int,
    mean_frames: float,
    num_classes: int,
    clutter: float = DEFAULT_CLUTTER,
) -> ClipPlan:
    """Decide label, person and length of clip `index` of a split.

    Labels go round in order, so every leading part of a split is balanced.

    Args:
        seed: Seed of the data set, >= 0.
        split: `train` or `validation`.
        index: Position in the split, from 0.
        mean_frames: Mean gesture length; lengths vary by a quarter either way.
        num_classes: How many labels go round.
        clutter: See `make_person`.
    """
    rng = np.random.default_rng([seed, 2, SPLITS.index(split), index])
    frames = round(mean_frames * rng.uniform(0.75, 1.25))
    return ClipPlan(
        clip_id=FIRST_ID[split] + index,
        split=split,
        index=index,
        label=index % num_classes,
        person=int(rng.integers(PEOPLE[split])),
        num_frames=max(MIN_FRAMES, frames),
        seed=seed,
        clutter=clutter,
    )
