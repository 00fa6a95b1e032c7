"""The truth about a continuous video: which gestures are in it, and when."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from lcr_runtime.events import BACKGROUND

VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg")


@dataclass(frozen=True)
class TrueGesture:
    """A gesture of a timeline, in seconds.

    Attributes:
        label: Name of the class.
        start: The hand leaves its rest.
        end: The hand is back at rest.
        core_end: The gesture's own movement is over.
    """

    label: str
    start: float
    end: float
    core_end: float


@dataclass(frozen=True)
class Timeline:
    """A video's gestures in order of time, background left out.

    Attributes:
        name: Of the video, without suffix.
        gestures: In order of their start.
        seconds: Length of the video.
    """

    name: str
    gestures: tuple[TrueGesture, ...]
    seconds: float


def read_timeline(
    path: str | PathLike, background: Collection[str] = BACKGROUND
) -> Timeline:
    """Read the JSON file that lies beside a continuous video.

    It has ``fps``, ``num_frames`` and ``events``: objects with ``name``,
    ``start_frame``, ``end_frame`` (exclusive) and, where it is known when the
    gesture's own movement is over, ``core_end_frame``. Frames count from 0.

    Args:
        path: Of the file; its name is the video's.
        background: Names of classes that are no gestures to detect.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no timeline.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fps = float(content["fps"])
        if not fps > 0:
            raise ValueError(f"fps = {fps}")
        gestures = [_gesture(event, fps) for event in content["events"]]
        seconds = int(content["num_frames"]) / fps
        late = [x for x in gestures if not 0 <= x.start < x.end <= seconds + 1e-9]
        if late:
            raise ValueError(f"{late[0]} does not lie within {seconds:g} s")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no timeline with fps, num_frames and events of name, "
            f"start_frame and end_frame: {type(error).__name__}: {error}"
        ) from error
    wanted = [gesture for gesture in gestures if gesture.label not in background]
    return Timeline(path.stem, tuple(sorted(wanted, key=lambda x: x.start)), seconds)


def _gesture(event: dict, fps: float) -> TrueGesture:
    end = event["end_frame"]
    return TrueGesture(
        label=event["name"],
        start=event["start_frame"] / fps,
        end=end / fps,
        core_end=event.get("core_end_frame", end) / fps,
    )


def find_timelines(folder: str | PathLike) -> list[Path]:
    """Timelines of a folder: in ``timelines/``, or beside the videos themselves.

    Raises:
        FileNotFoundError: There is none.
    """
    folder = Path(folder)
    inside = folder / "timelines"
    paths = sorted((inside if inside.is_dir() else folder).glob("*.json"))
    # The renderer writes its settings into a folder as well.
    paths = [path for path in paths if path.stem != "synthetic-settings"]
    if not paths:
        raise FileNotFoundError(
            f"no timelines (*.json) in {inside} or {folder}: expected videos/NAME.mp4 "
            "with timelines/NAME.json"
        )
    return paths


def find_video(timeline: str | PathLike) -> Path:
    """The video of a timeline: beside it, or in ``videos/`` beside its folder.

    Raises:
        FileNotFoundError: There is none.
    """
    timeline = Path(timeline)
    for folder in (timeline.parent, timeline.parent.parent / "videos"):
        for suffix in VIDEO_SUFFIXES:
            video = folder / f"{timeline.stem}{suffix}"
            if video.is_file():
                return video
    raise FileNotFoundError(
        f"no video {timeline.stem}{{{','.join(VIDEO_SUFFIXES)}}} for {timeline}, "
        f"neither beside it nor in {timeline.parent.parent / 'videos'}"
    )
