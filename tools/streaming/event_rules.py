"""Compare rules that make events of scores, over several checkpoints.

Beside the thresholds of :class:`lcr_runtime.EventDetector` two that add up scores. Use
it on videos of the training split, with ``--quiet`` and ``--fast`` of the cases
``background`` and ``fast``. docs/model_card.md has the table of the model that ships.

Example:
    python tools/streaming/event_rules.py CONFIG A.pth B.pth --streams TUNING \
        --quiet QUIET --fast FAST
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from evaluate import find_streams, read_videos

from lcr_mmaction.command_line import input_file
from lcr_mmaction.config_files import read_config
from lcr_mmaction.streaming import StreamingRecognizer, StreamOptions
from lcr_mmaction.streaming.metrics import EventScores, match_events
from lcr_mmaction.streaming.predictions import detections
from lcr_mmaction.streaming.timeline import Timeline, find_timelines, find_video
from lcr_runtime import EventDetector
from lcr_runtime.events import BACKGROUND, detect
from lcr_runtime.running_mean import ROUNDING

Video = tuple[Timeline, np.ndarray, np.ndarray]
TOLERANCE = 0.5


class Evidence(EventDetector):
    """Adds up every class's score above ``base``; an event at ``enough``.

    ``sum = max(0, sum + dt * (score - base))``, Page's cumulative sum.
    """

    def __init__(
        self, labels: Sequence[str], base: float, enough: float, **events: Any
    ):
        self.base, self.enough = base, enough
        super().__init__(labels, **events)

    def reset(self) -> None:
        """Forget the past."""
        super().reset()
        self.sum = np.zeros(len(self.labels))

    def update(self, scores: np.ndarray, time: float, elapsed: float = 1.0) -> list:
        """Begin anew after a gesture's start."""
        events = super().update(scores, time, elapsed)
        if any(event.phase == "start" for event in events):
            self.sum[:] = 0
        return events

    def _candidate(self, scores: np.ndarray, time: float, elapsed: float) -> int | None:
        total = np.maximum(0, self.sum + elapsed * (scores - self.base))
        self.sum = np.where(self.is_gesture, total, 0)
        if self.current is not None:
            self.sum[self.current.index] = 0
        best = int(self.sum.argmax())
        ready = self.sum[best] >= self.enough and scores[best] >= self.off
        cooled = time - self._ended[best] >= self.cooldown
        return best if ready and cooled and self._rested else None


class LeadersScores(EventDetector):
    """Adds up the leader's scores, not its frames; an event at ``enough``."""

    def __init__(self, labels: Sequence[str], enough: float, **events: Any):
        # Scores are not rounded as intervals are: no less than enough.
        super().__init__(labels, min_frames=enough + ROUNDING, **events)

    def _candidate(self, scores: np.ndarray, time: float, elapsed: float) -> int | None:
        return super()._candidate(scores, time, elapsed * float(scores.max()))


RULES: list[tuple[type[EventDetector], dict[str, float]]] = [
    *(
        (EventDetector, dict(on=on, min_frames=frames))
        for on, frames in itertools.product(
            (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6), (3, 4)
        )
    ),
    *(
        (Evidence, dict(base=base, enough=enough))
        for base, enough in itertools.product(
            (0.15, 0.2, 0.25, 0.3), (1.25, 1.5, 1.75, 2.0)
        )
    ),
    *(
        (LeadersScores, dict(on=on, enough=enough))
        for on, enough in itertools.product(
            (0.3, 0.35, 0.4, 0.45), (1.25, 1.5, 1.75, 2.0, 2.25)
        )
    ),
]
RATES = ((4.0, 0.0), (3.0, 0.0), (2.0, 0.0), (1.0, 0.0), (4.0, 0.3))


def main() -> None:
    """Print a table, a row a rule: means over the checkpoints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=input_file)
    parser.add_argument("checkpoints", type=input_file, nargs="+")
    parser.add_argument("--streams", type=Path, required=True)
    parser.add_argument("--quiet", type=Path, nargs="+", default=[])
    parser.add_argument("--fast", type=Path, nargs="+", default=[])
    args = parser.parse_args()
    config = read_config(args.config)
    options = StreamOptions.from_config(config)
    heads = [
        f"{fps:g}/s" + (f", {drop:.0%} lost" if drop else "") for fps, drop in RATES
    ]
    sets = [([args.streams], fps, drop) for fps, drop in RATES]
    sets += [(args.fast, 4.0, 0.0)] * bool(args.fast)
    sets += [(args.quiet, 4.0, 0.0)] * bool(args.quiet)
    heads += ["fast"] * bool(args.fast) + ["quiet, false/h"] * bool(args.quiet)
    read = []
    for checkpoint in args.checkpoints:
        recognizer = StreamingRecognizer(config, checkpoint, smoothing=0.0)
        read.append([read_set(recognizer, *one) for one in sets])
    print("| rule | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1))
    for kind, given in RULES:
        events = {**options.events, **given}
        events["off"] = min(events["off"], events["on"])
        row = []
        for videos in zip(*read, strict=True):
            scores = [run(kind, one, options, events) for one in videos]
            row.append(float(np.mean([figure(score) for score in scores])))
        name = f"{kind.__name__} {', '.join(f'{x:g}' for x in given.values())}"
        print(f"| {name} | " + " | ".join(f"{x:.3f}" for x in row) + " |", flush=True)


def read_set(
    recognizer: StreamingRecognizer, folders: Sequence[Path], fps: float, drop: float
) -> list[Video]:
    """Timelines, times and scores of folders' videos."""
    out: list[Video] = []
    for folder in folders:
        timelines = find_streams(folder, BACKGROUND)
        paths = {Path(path).stem: path for path in find_timelines(folder)}
        videos = [find_video(paths[timeline.name]) for timeline in timelines]
        found = read_videos(recognizer, videos, fps, drop)
        out += [(true, *one) for true, one in zip(timelines, found, strict=True)]
    return out


def run(
    kind: type[EventDetector],
    videos: Sequence[Video],
    options: StreamOptions,
    events: dict[str, Any],
) -> EventScores:
    """Score a rule. ``min_frames`` of the config's is for its own alone."""
    if kind is not EventDetector:
        events = {key: x for key, x in events.items() if key != "min_frames"}
    total = EventScores()
    for true, times, scores in videos:
        found = detect(scores, times, options.labels, 0.0, options.fps, kind, **events)
        total += match_events(detections(found), true.gestures, true.seconds, TOLERANCE)
    return total


def figure(score: EventScores) -> float:
    """F1, or false events an hour where there is no gesture."""
    if score.hits + score.misses:
        return score.f1
    return 3600 * score.false_events / score.seconds


if __name__ == "__main__":
    main()
