"""Continuous videos of several gestures, with a timeline of when each happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .cases import CASES
from .classes import CLASSES
from .dataset import FORMATS
from .folder import claim_folder, remove_parts
from .jobs import run_jobs
from .motion import Motion
from .person import DEFAULT_CLUTTER, PEOPLE, SPLITS, Person, make_person
from .plan import MIN_FRAMES
from .render import iter_frames
from .sequence import Event, draw_sequence
from .writers import FPS, write_frames, write_video


@dataclass(frozen=True)
class StreamSettings:
    """What decides the content of continuous videos.

    Attributes:
        seed: Seed of the whole set, >= 0.
        split: Whose people perform: `train` or `validation`.
        gestures: Gestures per video.
        mean_frames: Mean length of a gesture from rest to rest, in frames.
        mean_gap: Mean idle time between gestures, in frames.
        clutter: How much of a picture has nothing to do with the gesture, 0 to 1.
        format: `videos` (mp4) or `frames` (JPEG folders, which training reads).
        case: A key of :data:`.cases.CASES`.
        fps: Frames a second; lengths above are of frames at 12.
    """

    seed: int = 0
    split: str = "validation"
    gestures: int = 10
    mean_frames: float = 32
    mean_gap: float = 18
    clutter: float = DEFAULT_CLUTTER
    format: str = "videos"
    case: str = "ordinary"
    fps: int = FPS

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed = {self.seed}: expected 0 or more")
        if self.split not in SPLITS:
            raise ValueError(f"split = {self.split!r}: expected one of {SPLITS}")
        if self.gestures < 1:
            raise ValueError(f"gestures = {self.gestures}: expected at least 1")
        if self.mean_frames < MIN_FRAMES or self.mean_gap < 2:
            raise ValueError(
                f"mean_frames = {self.mean_frames}, mean_gap = {self.mean_gap}: "
                f"expected at least {MIN_FRAMES} and 2"
            )
        if not 0 <= self.clutter <= 1:
            raise ValueError(f"clutter = {self.clutter}: expected 0 to 1")
        if self.format not in FORMATS:
            raise ValueError(f"format = {self.format!r}: expected one of {FORMATS}")
        if self.fps < 1:
            raise ValueError(f"fps = {self.fps}: expected 1 or more")
        if self.case not in CASES:
            raise ValueError(f"case = {self.case!r}: expected one of {list(CASES)}")

    def as_dict(self) -> dict:
        """What a folder is known by; ordinary ones as before there were others."""
        settings = asdict(self)
        for name, usual in (("case", "ordinary"), ("fps", FPS)):
            if settings[name] == usual:
                del settings[name]
        return settings


@dataclass(frozen=True)
class Stream:
    """One continuous video before it is drawn."""

    person: Person
    motion: Motion
    events: list[Event]
    rng: np.random.Generator
    fps: int = FPS

    def timeline(self) -> dict:
        """The content of the JSON file beside the video."""
        events = [
            {"name": CLASSES[event.label], **asdict(event)} for event in self.events
        ]
        return {
            "synthetic": True,
            "person": self.person.name,
            "fps": self.fps,
            "num_frames": len(self.motion),
            "events": events,
        }


def draw_stream(settings: StreamSettings, index: int) -> Stream:
    """Draw video `index`, a function of the settings and the index alone.

    Gestures come in shuffled rounds over all classes but "No gesture", which is what
    lies between the events.
    """
    key = [settings.seed, 4, SPLITS.index(settings.split), index]
    rng = np.random.default_rng(key)
    number = int(rng.integers(PEOPLE[settings.split]))
    person = make_person(settings.split, number, settings.seed, settings.clutter)
    case = CASES[settings.case]
    labels = case.order(settings.gestures, rng)
    motion, events = draw_sequence(
        labels, person, rng, settings.mean_frames, settings.mean_gap, case
    )
    factor = settings.fps / FPS
    events = [event.at_rate(factor) for event in events]
    return Stream(person, motion.at_rate(factor), events, rng, settings.fps)


@dataclass(frozen=True)
class _StreamJob:
    root: Path
    settings: StreamSettings

    def paths(self, index: int) -> tuple[Path, Path]:
        name = f"stream_{index + 1:05d}"
        kind = self.settings.format
        video = self.root / kind / (f"{name}.mp4" if kind == "videos" else name)
        return video, self.root / "timelines" / f"{name}.json"

    def render(self, index: int) -> None:
        stream = draw_stream(self.settings, index)
        video, timeline = self.paths(index)
        timeline.parent.mkdir(parents=True, exist_ok=True)
        timeline.write_text(json.dumps(stream.timeline(), indent=2) + "\n")
        # Last, because its presence says that the job is done.
        frames = iter_frames(stream.motion, stream.person, stream.rng)
        if self.settings.format == "videos":
            write_video(frames, video, stream.fps)
        else:
            write_frames(frames, video)


def render_streams(
    root: str | Path,
    number: int,
    settings: StreamSettings | None = None,
    workers: int = 1,
) -> Sequence[tuple[Path, Path]]:
    """Render continuous videos and their timelines; finished ones are kept.

    Args:
        root: Output folder, made if missing; videos go to `videos/` (or `frames/`, a
            folder each), timelines to `timelines/` under the same names.
        number: How many videos, at least 1.
        settings: What they show; the defaults if None.
        workers: Number of processes.

    Returns:
        The paths of each video and its timeline.

    Raises:
        ValueError: A number or the folder does not fit.
        NotADirectoryError: `root` is a file.
    """
    if number < 1:
        raise ValueError(f"{number} videos: expected at least 1")
    settings = settings or StreamSettings()
    root = Path(root)
    claim_folder(root, {"task": "stream", **settings.as_dict()})
    remove_parts(root)
    job = _StreamJob(root, settings)
    paths = [job.paths(index) for index in range(number)]
    todo = [index for index, (video, _) in enumerate(paths) if not video.exists()]
    run_jobs(job.render, todo, workers, "Rendering synthetic streams")
    return paths
