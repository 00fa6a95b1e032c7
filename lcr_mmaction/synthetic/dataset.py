"""Render a synthetic data set in Jester's on-disk layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from .classes import CLASSES
from .jobs import run_jobs
from .person import SPLITS
from .plan import MAX_CLIPS, MIN_FRAMES, ClipPlan, plan_clip
from .render import render_clip
from .writers import write_frames, write_video

FRAME_FOLDER = "20bn-jester-v1"
VIDEO_FOLDER = "videos"
FORMATS: tuple[str, ...] = ("frames", "videos")
# Raised whenever the same settings would give other pictures than before.
RENDERER_VERSION = 2
_SETTINGS_FILE = "synthetic-settings.json"
_SHORT = {"train": "train", "validation": "val"}

_README = """\
SYNTHETIC DATA

These clips are computer drawings in the on-disk layout of the Jester data set, not
recordings of people. Accuracy measured on them says nothing about real hands.

Rendered by lcr_mmaction.synthetic with
{settings}
"""


@dataclass(frozen=True)
class RenderSettings:
    """What decides the pictures of a data set.

    Attributes:
        seed: Seed of the whole data set, >= 0.
        mean_frames: Mean clip length in frames.
        format: `frames` (JPEG folders) or `videos` (mp4).
    """

    seed: int = 0
    mean_frames: float = 32
    format: str = "frames"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed = {self.seed}: expected 0 or more")
        if not MIN_FRAMES <= self.mean_frames <= 1000:
            raise ValueError(
                f"mean_frames = {self.mean_frames}: expected {MIN_FRAMES} to 1000"
            )
        if self.format not in FORMATS:
            raise ValueError(f"format = {self.format!r}: expected one of {FORMATS}")


def clip_path(root: Path, plan: ClipPlan, format: str) -> Path:
    """Where a clip lies: a folder of JPEGs or an mp4 file."""
    if format == "frames":
        return root / FRAME_FOLDER / str(plan.clip_id)
    return root / VIDEO_FOLDER / f"{plan.clip_id}.mp4"


def _is_finished(path: Path, plan: ClipPlan) -> bool:
    if path.suffix == ".mp4":
        return path.is_file()
    return path.is_dir() and len(list(path.glob("*.jpg"))) == plan.num_frames


def _render_one(plan: ClipPlan, root: Path, format: str) -> None:
    clip = render_clip(plan.label, plan.make_person(), plan.rng(), plan.num_frames)
    write = write_frames if format == "frames" else write_video
    write(clip, clip_path(root, plan, format))


def _check_settings(root: Path, settings: RenderSettings) -> None:
    """Refuse to mix two data sets in one folder."""
    wanted = {"renderer_version": RENDERER_VERSION, **asdict(settings)}
    path = root / _SETTINGS_FILE
    if path.exists():
        found = json.loads(path.read_text())
        if found != wanted:
            raise ValueError(
                f"{root} holds clips rendered with other settings: found {found}, "
                f"wanted {wanted}. Choose another folder or delete this one."
            )
        return
    if any(root.iterdir()):
        raise ValueError(
            f"{root} is not empty and was not made by this renderer: choose a new "
            "folder"
        )
    text = json.dumps(wanted, indent=2) + "\n"
    path.write_text(text)
    (root / "README").write_text(_README.format(settings=text))


def _remove_parts(root: Path) -> None:
    for part in root.glob("*/.part-*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _write_lists(
    root: Path, plans: dict[str, list[ClipPlan]], settings: RenderSettings
) -> None:
    """Jester's CSV files and MMAction2's list files."""
    (root / "jester-v1-labels.csv").write_text("\n".join(CLASSES) + "\n")
    about = ["id;split;person;label;frames"]
    for split, clips in plans.items():
        rows = [f"{c.clip_id};{CLASSES[c.label]}" for c in clips]
        (root / f"jester-v1-{split}.csv").write_text("\n".join(rows) + "\n")
        short = f"jester_{_SHORT[split]}_list"
        if settings.format == "frames":
            name = f"{short}_rawframes.txt"
            lines = [
                f"{FRAME_FOLDER}/{c.clip_id} {c.num_frames} {c.label}" for c in clips
            ]
        else:
            name = f"{short}_videos.txt"
            lines = [f"{VIDEO_FOLDER}/{c.clip_id}.mp4 {c.label}" for c in clips]
        (root / name).write_text("\n".join(lines) + "\n")
        about += [
            f"{c.clip_id};{c.split};{c.make_person().name};{c.label};{c.num_frames}"
            for c in clips
        ]
    (root / "synthetic-clips.csv").write_text("\n".join(about) + "\n")


def render_dataset(
    root: str | Path,
    sizes: Sequence[int],
    settings: RenderSettings | None = None,
    workers: int = 1,
) -> int:
    """Render training and validation clips; finished clips are kept.

    A clip depends on the settings, its split and its index alone: not on the number
    of workers, on the sizes, or on how often rendering was interrupted.

    Args:
        root: Output folder, made if missing. A folder that already holds clips must
            have been rendered with the same settings.
        sizes: Number of training and of validation clips, each 1 to 200000.
        settings: Seed, length and format; the defaults if None.
        workers: Number of processes.

    Returns:
        The number of clips rendered by this call.

    Raises:
        ValueError: A size, the worker count or the folder does not fit.
        NotADirectoryError: `root` is a file.
    """
    settings = settings or RenderSettings()
    root = Path(root)
    if len(sizes) != len(SPLITS):
        raise ValueError(f"sizes = {sizes}: expected one size for each of {SPLITS}")
    for split, size in zip(SPLITS, sizes, strict=True):
        if not 1 <= size <= MAX_CLIPS:
            raise ValueError(f"{size} {split} clips: expected 1 to {MAX_CLIPS}")
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"{root} is a file: give a folder to render into")
    root.mkdir(parents=True, exist_ok=True)
    _check_settings(root, settings)
    _remove_parts(root)
    plans = {
        split: [
            plan_clip(settings.seed, split, index, settings.mean_frames)
            for index in range(size)
        ]
        for split, size in zip(SPLITS, sizes, strict=True)
    }
    todo = [
        plan
        for clips in plans.values()
        for plan in clips
        if not _is_finished(clip_path(root, plan, settings.format), plan)
    ]
    work = partial(_render_one, root=root, format=settings.format)
    run_jobs(work, todo, workers, "Rendering synthetic clips")
    _write_lists(root, plans, settings)
    return len(todo)
