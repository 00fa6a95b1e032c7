"""How well what was recognised in continuous videos agrees with their timelines."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .predictions import Detection
from .timeline import TrueGesture


def levenshtein(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and replacements that turn one into the other."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        above, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


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
        progress: Of every hit, the share of the gesture's span that was over.
    """

    hits: int = 0
    misses: int = 0
    false_events: int = 0
    seconds: float = 0.0
    delays: tuple[float, ...] = ()
    leads: tuple[float, ...] = ()
    progress: tuple[float, ...] = ()

    def __add__(self, other: EventScores) -> EventScores:
        return EventScores(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_events + other.false_events,
            self.seconds + other.seconds,
            self.delays + other.delays,
            self.leads + other.leads,
            self.progress + other.progress,
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


def match(
    events: Sequence[Detection],
    gestures: Sequence[TrueGesture],
    tolerance: float = 0.5,
) -> list[TrueGesture | None]:
    """Match detections with gestures, one to one, in order of time.

    A detection hits the first unmatched gesture of its class whose span, longer by
    ``tolerance`` at the end, holds the time of the detection.

    Args:
        events: What was recognised, in order of ``detected``.
        gestures: The truth.
        tolerance: Seconds after a gesture's end in which it may still be detected.

    Returns:
        The gesture of every event; None for false events.
    """
    left = sorted(gestures, key=lambda gesture: gesture.start)
    matched = []
    for event in events:
        fitting = (
            gesture
            for gesture in left
            if gesture.label == event.label
            and gesture.start <= event.detected <= gesture.end + tolerance
        )
        found = next(fitting, None)
        if found is not None:
            left.remove(found)
        matched.append(found)
    return matched


def match_events(
    events: Sequence[Detection],
    gestures: Sequence[TrueGesture],
    seconds: float,
    tolerance: float = 0.5,
) -> EventScores:
    """Count and time what :func:`match` finds in a video of so many seconds."""
    events = sorted(events, key=lambda event: event.detected)
    pairs = zip(events, match(events, gestures, tolerance), strict=True)
    hits = [(event.detected, gesture) for event, gesture in pairs if gesture]
    return EventScores(
        hits=len(hits),
        misses=len(gestures) - len(hits),
        false_events=len(events) - len(hits),
        seconds=seconds,
        delays=tuple(time - gesture.start for time, gesture in hits),
        leads=tuple(gesture.core_end - time for time, gesture in hits),
        progress=tuple(
            (time - gesture.start) / (gesture.end - gesture.start)
            for time, gesture in hits
        ),
    )


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the precision-recall steps, equal scores taken together.

    Args:
        scores: ``[T]``.
        positive: Booleans ``[T]``.

    Returns:
        NaN where nothing is positive.
    """
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def gesture_at(times: np.ndarray, gestures: Sequence[TrueGesture]) -> list[str | None]:
    """Name of the gesture that goes on at each time; None where there is none."""
    names: list[str | None] = [None] * len(times)
    for gesture in gestures:
        for i in np.flatnonzero((times >= gesture.start) & (times < gesture.end)):
            names[i] = gesture.label
    return names


def frame_map(
    scores: np.ndarray, truth: Sequence[str | None], labels: Sequence[str]
) -> float:
    """Mean over the gestures that occur of the average precision of their frames.

    Args:
        scores: Of the frames of all videos, ``[T, num_classes]``.
        truth: Gesture that goes on at each, or None.
        labels: Names of the columns.

    Returns:
        NaN where no gesture occurs; one that ``labels`` lack counts as 0.
    """
    names = np.array([name or "" for name in truth])
    values = []
    for name in sorted(set(names) - {""}):
        column = list(labels).index(name) if name in labels else None
        positive = names == name
        values.append(
            0.0 if column is None else average_precision(scores[:, column], positive)
        )
    return float(np.mean(values)) if values else float("nan")


def leads_at(
    fractions: Sequence[float],
    gestures: Sequence[TrueGesture],
    times: np.ndarray,
    scores: np.ndarray,
    labels: Sequence[str],
    background: Sequence[str],
) -> np.ndarray:
    """Whether a gesture's own class leads all others by a share of its span.

    The frame looked at is the last one before that moment; background classes do
    not compete, as in early recognition of clips.

    Args:
        fractions: Shares of a gesture's span, rest to rest.
        gestures: Of one video.
        times: Of its frames, ``[T]``.
        scores: ``[T, num_classes]``.
        labels: Names of the classes.
        background: Those that are no gesture.

    Returns:
        Booleans ``[len(gestures), len(fractions)]``.
    """
    competing = scores.copy()
    competing[:, [i for i, name in enumerate(labels) if name in background]] = -np.inf
    leader = competing.argmax(axis=1)
    right = np.zeros((len(gestures), len(fractions)), bool)
    for i, gesture in enumerate(gestures):
        moments = gesture.start + np.array(fractions) * (gesture.end - gesture.start)
        frames = np.searchsorted(times, moments, side="right") - 1
        right[i] = [f >= 0 and labels[leader[f]] == gesture.label for f in frames]
    return right
