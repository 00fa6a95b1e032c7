"""How well detected gestures agree with a timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lcr_runtime.events import BACKGROUND, EventDetector, GestureEvent
from lcr_runtime.running_mean import Smoothing


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
class EventScores:
    """Counts and times over any number of videos; add them up with ``+``.

    Attributes:
        hits: Detections matched with a gesture of the same class.
        misses: Gestures that no detection was matched with.
        false_events: Detections that were matched with no gesture.
        seconds: Length of the videos.
        delays: Of every hit, from the gesture's start to the detection, seconds.
        leads: Of every hit, from the detection to the end of the gesture's own
            movement, seconds; negative if it came later.
    """

    hits: int
    misses: int
    false_events: int
    seconds: float
    delays: tuple[float, ...] = ()
    leads: tuple[float, ...] = ()

    def __add__(self, other: EventScores) -> EventScores:
        return EventScores(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_events + other.false_events,
            self.seconds + other.seconds,
            self.delays + other.delays,
            self.leads + other.leads,
        )

    @property
    def precision(self) -> float:
        """Share of detections that are right; 0 without any."""
        return self.hits / max(self.hits + self.false_events, 1)

    @property
    def recall(self) -> float:
        """Share of gestures that are found; 0 without any."""
        return self.hits / max(self.hits + self.misses, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = 2 * self.hits + self.misses + self.false_events
        return 2 * self.hits / max(total, 1)

    def summary(self) -> dict[str, float]:
        """All figures; medians are NaN without a hit."""
        return {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "false_events_per_minute": 60 * self.false_events / self.seconds,
            "median_delay_s": float(np.median(self.delays or [np.nan])),
            "median_lead_s": float(np.median(self.leads or [np.nan])),
        }


def read_timeline(path: str | Path) -> tuple[list[TrueGesture], float]:
    """Read a timeline that lies beside a continuous synthetic video.

    Background classes are left out: they are no gestures to detect.

    Returns:
        The gestures in order, and the video's length in seconds.
    """
    timeline = json.loads(Path(path).read_text(encoding="utf-8"))
    fps = timeline["fps"]
    gestures = [
        TrueGesture(
            event["name"],
            event["start_frame"] / fps,
            event["end_frame"] / fps,
            event["core_end_frame"] / fps,
        )
        for event in timeline["events"]
        if event["name"] not in BACKGROUND
    ]
    return gestures, timeline["num_frames"] / fps


def match_events(
    events: Sequence[GestureEvent],
    gestures: Sequence[TrueGesture],
    seconds: float,
    tolerance: float = 0.5,
) -> EventScores:
    """Match detections with gestures, one to one, in order of time.

    A detection hits the first unmatched gesture of its class whose span, longer by
    ``tolerance`` at the end, holds the time of the detection.

    Args:
        events: Detections; only those of phase ``'start'`` count.
        gestures: The truth.
        seconds: Length of the video.
        tolerance: Seconds after a gesture's end in which it may still be detected.
    """
    left = sorted(gestures, key=lambda gesture: gesture.start)
    delays, leads, false_events = [], [], 0
    for event in sorted(events, key=lambda event: event.detected):
        if event.phase != "start":
            continue
        for gesture in left:
            inside = gesture.start <= event.detected <= gesture.end + tolerance
            if inside and gesture.label == event.label:
                left.remove(gesture)
                delays.append(event.detected - gesture.start)
                leads.append(gesture.core_end - event.detected)
                break
        else:
            false_events += 1
    return EventScores(
        len(delays), len(left), false_events, seconds, tuple(delays), tuple(leads)
    )


def smooth(scores: np.ndarray, share: float) -> np.ndarray:
    """Exponential moving average over frames, as streaming applies it.

    Args:
        scores: ``[T, num_classes]``.
        share: Of the past, in [0, 1).
    """
    average, row = Smoothing(share, (1, scores.shape[1])), np.zeros(1, np.int64)
    return np.array([average.add(now[None], row)[0] for now in scores])


def detect(
    scores: np.ndarray,
    times: Sequence[float],
    labels: Sequence[str],
    smoothing: float,
    **options: float,
) -> list[GestureEvent]:
    """Events of a whole video, from the raw scores of its frames.

    Args:
        scores: Probabilities ``[T, num_classes]``, not smoothed.
        times: Of the frames, seconds.
        labels: Names of the classes.
        smoothing: Share of the past.
        **options: Of :class:`.events.EventDetector`.
    """
    detector = EventDetector(labels, **options)
    events: list[GestureEvent] = []
    for row, time in zip(smooth(scores, smoothing), times, strict=True):
        events += detector.update(row, time)
    return events + detector.finish()
