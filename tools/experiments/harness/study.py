"""What a study is: a base config, its variants, and how large a run is."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STUDIES = ROOT / "tools" / "experiments" / "studies"
SIZES = ("quick", "full")

Edits = dict[str, dict[str, Any] | None]
"""Changes of a pipeline by transform name: settings to set, or None to remove it."""


@dataclass(frozen=True)
class Clips:
    """Synthetic clips; those of one folder differ only in how many are used.

    Attributes:
        train: Training clips.
        val: Validation clips, of people who are in no training clip.
        task: `jester`, one gesture a clip, or `ordered`, the order of a few.
        mean_frames: Mean length of a gesture in frames.
        steps: Gestures in an ordered clip.
        gap: Mean idle frames around the gestures of an ordered clip.
    """

    train: int
    val: int
    task: str = "jester"
    mean_frames: float = 24
    steps: int = 3
    gap: float = 4

    @property
    def folder(self) -> str:
        """Name of the folder that holds such clips."""
        if self.task == "jester":
            return f"jester_{self.mean_frames:g}"
        return f"ordered_{self.steps}x{self.mean_frames:g}_gap{self.gap:g}"


@dataclass(frozen=True)
class Size:
    """How large the runs of a study are.

    Attributes:
        clips: The clips of variants that name none.
        epochs: Training epochs; a schedule that ends with the base config's last
            epoch ends with this one.
        val_interval: Epochs between two validations; the last is always validated.
        config: Base config, relative to the repository.
        options: MMEngine's `--cfg-options` for every variant.
        edits: Changes of both pipelines for every variant.
    """

    clips: Clips
    epochs: int
    val_interval: int = 2
    config: str = "configs/lcr_jester_tiny.py"
    options: dict[str, Any] = field(default_factory=dict)
    edits: Edits = field(default_factory=dict)


# What a study takes that has no reason to differ: two processor cores, or a GPU.
USUAL_SIZES = {
    "quick": Size(Clips(1080, 540), epochs=6),
    "full": Size(Clips(27000, 2700), epochs=30),
}
# The order of three gestures is the class: no single stretch of a clip tells it. Twice
# the frames, as the clips are longer.
ORDERED = {
    "quick": Clips(1080, 360, task="ordered", mean_frames=12),
    "full": Clips(24000, 2400, task="ordered", mean_frames=12),
}
LONG: Edits = {"UniformSample": dict(clip_len=16)}


@dataclass(frozen=True)
class Variant:
    """One thing that is compared, and how it differs from the base.

    Attributes:
        name: What tables call it.
        options: MMEngine's `--cfg-options`.
        edits: Changes of the training and the validation pipeline; a transform
            that is not there goes before `FormatShape`.
        train_edits: Changes of the training pipeline alone.
        tests: Further tests of the trained model: name and changes of the
            validation pipeline. A name that is a number is a place on the x axis.
        config: Config instead of the size's.
        clips: Clips instead of the size's.
        group: Variants of one group are compared with each other.
        x: Place on the x axis; None where there is no such axis.
        reference: Whether the differences of the group are to this variant.
        size: The only size that has this variant; None for both.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    edits: Edits = field(default_factory=dict)
    train_edits: Edits = field(default_factory=dict)
    tests: dict[str, Edits] = field(default_factory=dict)
    config: str | None = None
    clips: Clips | None = None
    group: str = ""
    x: float | None = None
    reference: bool = False
    size: str | None = None


@dataclass(frozen=True)
class Study:
    """A named comparison.

    Attributes:
        title: Heading of its page.
        question: What it asks, one or two sentences.
        sizes: `quick` and `full`.
        variants: What is compared. Where none of a group is the reference, its
            first is.
        x_label: Name of the x axis, where variants have a place on one.
    """

    title: str
    question: str
    sizes: dict[str, Size]
    variants: list[Variant]
    x_label: str = ""

    def of_size(self, size: str) -> list[Variant]:
        """The variants that a size has."""
        return [v for v in self.variants if v.size in (None, size)]

    def reference(self, group: str, size: str) -> Variant:
        """The variant that the others of a group are compared with."""
        members = [v for v in self.of_size(size) if v.group == group]
        return next((v for v in members if v.reference), members[0])


def study_names() -> list[str]:
    """The studies there are."""
    return sorted(path.stem for path in STUDIES.glob("*.py"))


def load_study(name: str) -> Study:
    """Read a study by its name, or from a file ending in `.py`.

    Raises:
        ValueError: There is no such study, or its variants share a name.
    """
    path = Path(name) if name.endswith(".py") else STUDIES / f"{name}.py"
    if not path.is_file():
        raise ValueError(
            f"There is no study {name!r}: choose one of {', '.join(study_names())}, "
            "or give the path of a file that defines STUDY."
        )
    study = runpy.run_path(str(path))["STUDY"]
    for size in SIZES:
        names = [variant.name for variant in study.of_size(size)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{path}: several variants are called {twice}.")
    return study
