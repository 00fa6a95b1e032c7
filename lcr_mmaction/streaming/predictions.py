"""What a recognizer, of any make, said of continuous videos; and its file format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lcr_runtime.events import GestureEvent


@dataclass(frozen=True)
class Detection:
    """A gesture that was recognised, times in seconds.

    Attributes:
        label: Name of the class.
        detected: When the recognizer said so.
        start: When it puts the start, if it does.
        end: When it puts the end, if it does.
        confidence: 0..1, if it tells.
    """

    label: str
    detected: float
    start: float | None = None
    end: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Prediction:
    """All that was said of one video.

    Attributes:
        name: Of the video, without suffix.
        events: What was recognised, in order of ``detected``.
        times: Of the frames that have scores, seconds ``[T]``.
        scores: Of these frames, ``[T, num_classes]``; None if there are none.
        labels: Names of the columns of ``scores``.
    """

    name: str
    events: tuple[Detection, ...]
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scores: np.ndarray | None = None
    labels: tuple[str, ...] = ()


def detections(events: Iterable[GestureEvent]) -> tuple[Detection, ...]:
    """One detection for every gesture that starts, with its end where it is known."""
    found: dict[tuple[int, float], Detection] = {}
    for event in events:
        found[event.index, event.detected] = Detection(
            event.label, event.detected, event.start, event.end, event.confidence
        )
    return tuple(sorted(found.values(), key=lambda event: event.detected))


def write_predictions(predictions: Sequence[Prediction], path: str | PathLike) -> None:
    """Write a file that :func:`read_predictions` reads."""
    content: dict[str, Any] = {"labels": [], "videos": {}}
    for prediction in predictions:
        video: dict[str, Any] = {"events": [_known(x) for x in prediction.events]}
        if prediction.scores is not None:
            content["labels"] = list(prediction.labels)
            video["times"] = np.round(prediction.times, 4).tolist()
            video["scores"] = np.round(prediction.scores, 5).tolist()
        content["videos"][prediction.name] = video
    Path(path).write_text(json.dumps(content) + "\n", encoding="utf-8")


def read_predictions(path: str | PathLike) -> dict[str, Prediction]:
    """Read predictions by the names of their videos.

    The file is JSON::

        {"labels": ["Swiping Left", "Swiping Right"],
         "videos": {
            "stream_00001": {
                "events": [{"label": "Swiping Left", "detected": 2.25,
                            "start": 1.5, "end": 3.0, "confidence": 0.9}],
                "times": [0.0, 0.25], "scores": [[0.1, 0.9], [0.2, 0.8]]}}}

    Times are in seconds of the video. Of an event ``label`` and ``detected`` are
    needed; ``labels``, and ``times`` with ``scores`` of frames, may be left out:
    then what is measured on frames is not.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file; the message names video and field.
    """
    path = Path(path)
    where = str(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = tuple(content.get("labels", ()))
        found = {}
        for name, video in content["videos"].items():
            where = f"{path}, video {name!r}"
            found[name] = _prediction(name, video, labels)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: not as predictions are written (see docs/streaming.md): "
            f"{type(error).__name__}: {error}"
        ) from error
    return found


def _known(event: Detection) -> dict[str, Any]:
    return {key: value for key, value in vars(event).items() if value is not None}


def _prediction(name: str, video: dict, labels: tuple[str, ...]) -> Prediction:
    events = [Detection(**event) for event in video["events"]]
    for event in events:
        if not isinstance(event.label, str):
            raise TypeError(f"label {event.label!r} is no name")
        if not np.isfinite(event.detected):
            raise ValueError(f"detected = {event.detected}")
    ordered = tuple(sorted(events, key=lambda event: event.detected))
    if video.get("scores") is None:
        return Prediction(name, ordered)
    times = np.asarray(video["times"], float)
    scores = np.asarray(video["scores"], float)
    if scores.shape != (len(times), len(labels)):
        raise ValueError(
            f"scores of shape {scores.shape} for {len(times)} times and "
            f"{len(labels)} labels"
        )
    if (np.diff(times) < 0).any():
        raise ValueError("times go backwards")
    return Prediction(name, ordered, times, scores, labels)
