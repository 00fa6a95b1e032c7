"""From scores over time to gestures with a start and an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .running_mean import ROUNDING, intervals, smooth

BACKGROUND = ("No gesture", "Doing other things")


@dataclass(frozen=True)
class GestureEvent:
    """A gesture, announced once when it starts and once when it ends.

    Attributes:
        phase: ``'start'`` or ``'end'``.
        label: Name of the class.
        index: Index of the class.
        start: When its score rose, in the stream's seconds.
        peak: When its score was highest so far.
        end: When its score fell, None while it lasts.
        confidence: Highest score so far, 0..1.
        detected: When the start was announced.
        stream: Index of the stream in the batch.
    """

    phase: str
    label: str
    index: int
    start: float
    peak: float
    end: float | None
    confidence: float
    detected: float
    stream: int = 0

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)


class EventDetector:
    """Hysteresis on the scores of one stream.

    A gesture starts when its score reaches ``on`` and leads for ``min_frames``
    frames in a row; it ends when its score falls under ``off`` or another gesture
    starts.

    A hand that is held still after a gesture looks like a gesture of its own, such as
    a stop sign. With ``rest`` above 0 a gesture starts only when no gesture was to
    be seen for so many frames since the last one, and none ends another.

    Args:
        labels: Names of the classes.
        background: Names of classes that are no gesture.
        on: Score that starts an event, 0..1.
        off: Score that ends it, below ``on``.
        min_frames: Frames in a row at ``on`` or above, at the training's rate.
        cooldown: Seconds after its end in which the same gesture does not start.
        rest: Frames, at the training's rate, between two events in which every
            gesture's score is under ``off``.
        stream: Written into the events.

    Raises:
        ValueError: A threshold is out of range.
    """

    def __init__(
        self,
        labels: Sequence[str],
        background: Sequence[str] = BACKGROUND,
        on: float = 0.6,
        off: float = 0.3,
        min_frames: float = 2,
        cooldown: float = 0.5,
        rest: int = 0,
        stream: int = 0,
    ) -> None:
        if not 0 < off <= on <= 1:
            raise ValueError(
                f"an event needs 0 < off <= on <= 1, got on={on}, off={off}"
            )
        if min_frames < 1 or cooldown < 0 or rest < 0:
            raise ValueError(
                "an event needs min_frames >= 1, cooldown >= 0 and rest >= 0, got "
                f"min_frames={min_frames}, cooldown={cooldown}, rest={rest}"
            )
        self.labels = list(labels)
        self.is_gesture = np.array([label not in background for label in labels])
        self.on, self.off = on, off
        self.min_frames = min_frames
        self.cooldown = cooldown
        self.rest = rest
        self.stream = stream
        self.reset()

    def reset(self) -> None:
        """Forget the past, an open event included."""
        self.current: GestureEvent | None = None
        self._onset = np.full(len(self.labels), np.nan)
        self._ended = np.full(len(self.labels), -np.inf)
        self._leader, self._led = -1, 0.0
        # Frames without a gesture in a row, and whether enough since the last event.
        self._quiet, self._rested = 0.0, True
        self._time = 0.0

    def update(
        self, scores: np.ndarray, time: float, elapsed: float = 1.0
    ) -> list[GestureEvent]:
        """Take the scores of one frame.

        Args:
            scores: Probabilities ``[num_classes]``.
            time: The frame's, in seconds, not before the last one's.
            elapsed: Time since the last frame in intervals of training: for how many
                frames this one counts.

        Returns:
            Events that started or ended with this frame, ends first.
        """
        self._time = time
        above = scores >= self.off
        self._onset = np.where(above & ~np.isnan(self._onset), self._onset, time)
        self._onset[~above] = np.nan
        self._quiet = 0 if (above & self.is_gesture).any() else self._quiet + elapsed
        self._rested |= self._quiet >= self.rest - ROUNDING
        candidate = self._candidate(scores, time, elapsed)
        events = []
        if self.current is not None:
            current = self.current
            score = float(scores[current.index])
            if score > current.confidence:
                current = replace(current, peak=time, confidence=score)
            self.current = current
            replaced = candidate is not None and candidate != current.index
            if score < self.off or replaced:
                events += self.finish()
        if self.current is None and candidate is not None:
            self.current = GestureEvent(
                phase="start",
                label=self.labels[candidate],
                index=candidate,
                start=float(self._onset[candidate]),
                peak=time,
                end=None,
                confidence=float(scores[candidate]),
                detected=time,
                stream=self.stream,
            )
            events.append(self.current)
            self._rested = False
        return events

    def finish(self) -> list[GestureEvent]:
        """End the open event, if any, at the last frame's time."""
        if self.current is None:
            return []
        ended = replace(self.current, phase="end", end=self._time)
        self._ended[ended.index] = self._time
        self.current = None
        return [ended]

    def _candidate(self, scores: np.ndarray, time: float, elapsed: float) -> int | None:
        """Class that has led, at ``on`` or above, for long enough."""
        leader = int(np.argmax(scores))
        if not self.is_gesture[leader] or scores[leader] < self.on:
            self._leader, self._led = -1, 0.0
            return None
        self._led = self._led + elapsed if leader == self._leader else elapsed
        self._leader = leader
        cooled = time - self._ended[leader] >= self.cooldown
        long = self._led >= self.min_frames - ROUNDING
        ready = long and cooled and self._rested
        return leader if ready else None


def detect(
    scores: np.ndarray,
    times: Sequence[float],
    labels: Sequence[str],
    smoothing: float,
    rate: float | None = None,
    kind: type[EventDetector] = EventDetector,
    **options: Any,
) -> list[GestureEvent]:
    """Events of a whole video, from the raw scores of its frames.

    Args:
        scores: Probabilities ``[T, num_classes]``, not smoothed.
        times: Of the frames, seconds.
        labels: Names of the classes.
        smoothing: Share of the past.
        rate: Frames a second of training; None counts every frame as one.
        kind: The rule that makes them.
        **options: Of that class.
    """
    detector = kind(labels, **options)
    events: list[GestureEvent] = []
    seconds = np.asarray(times, float)
    elapsed = intervals(seconds, np.r_[np.nan, seconds[:-1]], rate)
    smoothed = smooth(scores, smoothing, elapsed)
    for row, time, count in zip(smoothed, times, elapsed, strict=True):
        events += detector.update(row, time, float(count))
    return events + detector.finish()
