"""Render a synthetic data set in Jester's on-disk layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from .folder import claim_folder, remove_parts
from .jobs import run_jobs
from .person import DEFAULT_CLUTTER, SPLITS
from .plan import MAX_CLIPS, MIN_FRAMES, ClipPlan, plan_clip
from .render import render_motion
from .tasks import JesterTask, Task
from .writers import write_frames, write_video

VIDEO_FOLDER = "videos"
FORMATS: tuple[str, ...] = ("frames", "videos")
_SHORT = {"train": "train", "validation": "val"}


@dataclass(frozen=True)
class RenderSettings:
    """What decides the pictures of a data set, besides the task.

    Attributes:
        seed: Seed of the whole data set, >= 0.
        mean_frames: Mean length of a gesture in frames.
        format: `frames` (JPEG folders) or `videos` (mp4).
        clutter: How much of a picture has nothing to do with the gesture, 0 to 1.
    """

    seed: int = 0
    mean_frames: float = 32
    format: str = "frames"
    clutter: float = DEFAULT_CLUTTER

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed = {self.seed}: expected 0 or more")
        if not MIN_FRAMES <= self.mean_frames <= 1000:
            raise ValueError(
                f"mean_frames = {self.mean_frames}: expected {MIN_FRAMES} to 1000"
            )
        if self.format not in FORMATS:
            raise ValueError(f"format = {self.format!r}: expected one of {FORMATS}")
        if not 0 <= self.clutter <= 1:
            raise ValueError(f"clutter = {self.clutter}: expected 0 to 1")


@dataclass(frozen=True)
class _Job:
    """One clip to render, all that a worker process needs."""

    root: Path
    task: Task
    format: str

    def path(self, plan: ClipPlan) -> Path:
        if self.format == "frames":
            return self.root / self.task.frame_folder / str(plan.clip_id)
        return self.root / VIDEO_FOLDER / f"{plan.clip_id}.mp4"

    def render(self, plan: ClipPlan) -> None:
        person, rng = plan.make_person(), plan.rng()
        motion = self.task.draw(plan.label, person, rng, plan.num_frames)
        clip = render_motion(motion, person, rng)
        write = write_frames if self.format == "frames" else write_video
        write(clip, self.path(plan))

    def lines(self, plan: ClipPlan) -> tuple[str, str]:
        """The clip's line in MMAction2's list file, and in the table of clips."""
        path = self.path(plan)
        where = path.relative_to(self.root).as_posix()
        person = plan.make_person().name
        about = f"{plan.clip_id};{plan.split};{person};{plan.label}"
        if self.format == "videos":
            return f"{where} {plan.label}", about
        frames = sum(1 for _ in path.glob("*.jpg"))
        return f"{where} {frames} {plan.label}", about


def _write_lists(job: _Job, plans: dict[str, list[ClipPlan]]) -> None:
    """Jester's CSV files and MMAction2's list files."""
    classes, prefix = job.task.classes, job.task.name
    root = job.root
    (root / f"{prefix}-v1-labels.csv").write_text("\n".join(classes) + "\n")
    kind = "rawframes" if job.format == "frames" else "videos"
    table = ["id;split;person;label"]
    for split, clips in plans.items():
        rows = [f"{clip.clip_id};{classes[clip.label]}" for clip in clips]
        (root / f"{prefix}-v1-{split}.csv").write_text("\n".join(rows) + "\n")
        lines = [job.lines(clip) for clip in clips]
        name = f"{prefix}_{_SHORT[split]}_list_{kind}.txt"
        (root / name).write_text("\n".join(line for line, _ in lines) + "\n")
        table += [about for _, about in lines]
    (root / "synthetic-clips.csv").write_text("\n".join(table) + "\n")


def _check_sizes(sizes: Sequence[int]) -> None:
    if len(sizes) != len(SPLITS):
        raise ValueError(f"sizes = {sizes}: expected one size for each of {SPLITS}")
    for split, size in zip(SPLITS, sizes, strict=True):
        if not 1 <= size <= MAX_CLIPS:
            raise ValueError(f"{size} {split} clips: expected 1 to {MAX_CLIPS}")


def render_dataset(
    root: str | Path,
    sizes: Sequence[int],
    settings: RenderSettings | None = None,
    workers: int = 1,
    task: Task | None = None,
) -> int:
    """Render training and validation clips; finished clips are kept.

    A clip depends on the task, the settings, its split and its index alone: not on
    the number of workers, on the sizes, or on how often rendering was interrupted.

    Args:
        root: Output folder, made if missing. A folder that already holds clips must
            have been rendered with the same task and settings.
        sizes: Number of training and of validation clips, each 1 to 200000.
        settings: Seed, length and format; the defaults if None.
        workers: Number of processes.
        task: What the classes are; Jester's gestures if None.

    Returns:
        The number of clips rendered by this call.

    Raises:
        ValueError: A size, the worker count or the folder does not fit.
        NotADirectoryError: `root` is a file.
    """
    settings, task = settings or RenderSettings(), task or JesterTask()
    _check_sizes(sizes)
    root = Path(root)
    claim_folder(root, {"task": task.name, **asdict(task), **asdict(settings)})
    remove_parts(root)
    job = _Job(root, task, settings.format)
    plan = partial(
        plan_clip,
        settings.seed,
        mean_frames=settings.mean_frames,
        num_classes=len(task.classes),
        clutter=settings.clutter,
    )
    plans = {
        split: [plan(split, index) for index in range(size)]
        for split, size in zip(SPLITS, sizes, strict=True)
    }
    # A clip appears under its name only when it is whole: what is there is done.
    todo = [c for clips in plans.values() for c in clips if not job.path(c).exists()]
    run_jobs(job.render, todo, workers, "Rendering synthetic clips")
    _write_lists(job, plans)
    return len(todo)
