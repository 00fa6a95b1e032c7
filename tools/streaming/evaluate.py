"""Score gesture recognition on continuous videos, as the field scores it.

Runs a model over the videos of a folder and compares what it says with their
timelines: Levenshtein accuracy, precision and recall of events, per-frame mAP, time
to detection, early recognition, false events an hour; for one or more policies.
``--predictions`` scores what any other system said. ``--tune`` searches smoothing and
thresholds: use it on videos of the training split, then measure what it found on
others. docs/streaming.md says what the figures mean and how the files look.

Examples:
    python tools/streaming/evaluate.py CONFIG CHECKPOINT --report report
    python tools/streaming/evaluate.py CONFIG CHECKPOINT --streams FOLDER --tune
    python tools/streaming/evaluate.py --predictions predictions.json --streams FOLDER
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
import dataclasses
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from report import as_table, write_report

from lcr_mmaction.command_line import (
    add_label_file,
    input_file,
    model_parser,
    output_file,
    output_folder,
    positive,
)
from lcr_mmaction.config_files import read_config
from lcr_mmaction.streaming import StreamingRecognizer, StreamOptions
from lcr_mmaction.streaming.metrics import EventScores, match_events
from lcr_mmaction.streaming.predictions import (
    Prediction,
    detections,
    read_predictions,
    write_predictions,
)
from lcr_mmaction.streaming.scoring import score
from lcr_mmaction.streaming.timeline import (
    Timeline,
    find_timelines,
    find_video,
    read_timeline,
)
from lcr_runtime.events import BACKGROUND, detect
from lcr_runtime.running_mean import intervals, smooth
from lcr_runtime.sources import Frame, FrameSource, open_source

DEFAULT_STREAMS = Path("data/synthetic_streams/validation")
# Videos that are read together: a batch costs little more than one of them.
BATCH = 10
GRID = {
    "smoothing": (0.0, 0.3, 0.5, 0.7, 0.8),
    "on": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "min_frames": (1, 2, 3, 4),
    "cooldown": (0.0, 0.5, 1.0),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__, optional=True)
    parser.add_argument(
        "--streams",
        type=Path,
        default=DEFAULT_STREAMS,
        help="folder of videos/ and timelines/ (default: %(default)s)",
    )
    parser.add_argument(
        "--predictions", type=input_file, help="score these, and run no model"
    )
    parser.add_argument(
        "--policies", nargs="+", metavar="POLICY", help="default: the config's"
    )
    parser.add_argument("--tune", action="store_true", help="search the thresholds")
    parser.add_argument(
        "--fps", type=positive(float), help="feed so many frames a second, at most"
    )
    parser.add_argument(
        "--drop",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="leave out this share of the frames, at random",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.5,
        help="seconds after a gesture's end in which it may still be detected",
    )
    add_label_file(parser)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=output_file(), help="write the figures here")
    parser.add_argument(
        "--save-predictions", type=output_file(), help="write what the model said here"
    )
    parser.add_argument(
        "--report", type=output_folder, help="write a page with pictures here"
    )
    args = parser.parse_args()
    if args.predictions:
        chosen = ("config", "policies", "tune", "fps", "drop", "label_file")
        wrong = [n for n in (*chosen, "save_predictions") if getattr(args, n)]
        if wrong:
            parser.error(f"--predictions runs no model: leave out {', '.join(wrong)}")
    elif args.checkpoint is None:
        parser.error("give CONFIG and CHECKPOINT, or --predictions FILE")
    if not 0 <= args.drop < 1:
        parser.error(f"--drop must be in [0, 1), got {args.drop}: it is a share")
    if not args.tolerance >= 0:
        parser.error(f"--tolerance must be 0 or more, got {args.tolerance}")
    if args.save_predictions and len(args.policies or ()) > 1:
        parser.error("--save-predictions takes what one policy says, not several")
    return args


def find_streams(folder: Path, background: Sequence[str]) -> list[Timeline]:
    """Timelines of a folder; says how to render some if it is empty."""
    try:
        return [read_timeline(path, background) for path in find_timelines(folder)]
    except FileNotFoundError as error:
        sys.exit(
            f"evaluate: {error}. This renders synthetic ones:\n"
            f"    python tools/data/synthetic/render_stream.py --out {folder}"
        )


def read_options(args: argparse.Namespace) -> list[StreamOptions]:
    """What each policy is to run with; all are checked before a video is read."""
    config = read_config(args.config)
    return [
        StreamOptions.from_config(config, labels=args.label_file, policy=policy)
        for policy in args.policies or [None]
    ]


def check_names(labels: Sequence[str], timelines: Sequence[Timeline]) -> None:
    """Refuse a model that can name no gesture; warn where it misses some."""
    shown = {gesture.label for timeline in timelines for gesture in timeline.gestures}
    unknown = sorted(shown - set(labels))
    if shown and not shown & set(labels):
        sys.exit(
            f"evaluate: the model names none of the gestures {unknown}; it has "
            f"{list(labels)}: give the right --label-file or videos"
        )
    if unknown:
        print(f"evaluate: the model has no class for {unknown}", file=sys.stderr)


class Lossy(FrameSource):
    """A source of whose frames some are lost, at random, the same ones every time.

    Args:
        source: The whole one.
        drop: Chance of each frame but the first, in [0, 1).
        seed: Another one loses others.
    """

    def __init__(self, source: FrameSource, drop: float, seed: int) -> None:
        self.source, self.drop = source, drop
        self.channel_order, self.fps = source.channel_order, source.fps
        self.chances = np.random.default_rng(seed)
        self.begun = False

    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame that is not lost, or None at the end."""
        while (frame := self.source.read(wait)) is not None:
            if self.chances.random() >= self.drop or not self.begun:
                self.begun = True
                return frame
        self.ended = self.source.ended
        return None

    def close(self) -> None:
        """Close the whole one."""
        super().close()
        self.source.close()


def read_videos(
    recognizer: StreamingRecognizer,
    videos: Sequence[Path],
    fps: float | None,
    drop: float = 0.0,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times and scores before smoothing of the frames of videos, several at a time."""
    read = []
    for first in range(0, len(videos), BATCH):
        batch = videos[first : first + BATCH]
        print(f"{first + 1}/{len(videos)} {batch[0]}", file=sys.stderr)
        together = recognizer.fork(num_streams=len(batch))
        sources = [
            Lossy(open_source(video, fps), drop, seed=number)
            for number, video in enumerate(batch, start=first + 1)
        ]
        found: list[list[tuple[float, np.ndarray]]] = [[] for _ in batch]
        for results in together.run_many(sources):
            for kept, result in zip(found, results, strict=True):
                if result is not None and result.read:
                    kept.append((result.time, result.scores))
        for video, kept in zip(batch, found, strict=True):
            if not kept:
                sys.exit(f"evaluate: {video} has no frames that can be read")
            times, scores = zip(*kept, strict=True)
            read.append((np.array(times), np.array(scores)))
    return read


def predict(
    name: str, times: np.ndarray, scores: np.ndarray, options: StreamOptions
) -> Prediction:
    """What a stream with these options says of frames read without smoothing."""
    labels = tuple(options.labels)
    events = detect(
        scores, times, labels, options.smoothing, options.fps, **options.events
    )
    smoothed = smooth(scores, options.smoothing, _elapsed(times, options))
    return Prediction(name, detections(events), times, smoothed, labels)


def _elapsed(times: np.ndarray, options: StreamOptions) -> np.ndarray:
    """Times between frames in intervals of training."""
    return intervals(times, np.r_[np.nan, times[:-1]], options.fps)


def tune(
    videos: Sequence[tuple[Timeline, np.ndarray, np.ndarray]],
    options: StreamOptions,
    tolerance: float,
) -> StreamOptions:
    """Options of the grid with the best F1; of equals those that detect earlier."""
    best, best_key = options, (-1.0, 0.0)
    smoothing, *thresholds = GRID.values()
    for share in smoothing:
        frames = [
            (true, times, smooth(x, share, _elapsed(times, options)))
            for true, times, x in videos
        ]
        for values in itertools.product(*thresholds):
            events = options.events | dict(zip(list(GRID)[1:], values, strict=True))
            events["off"] = events["on"] / 2
            total = sum(
                (
                    match_events(
                        detections(
                            detect(x, times, options.labels, 0.0, options.fps, **events)
                        ),
                        true.gestures,
                        true.seconds,
                        tolerance,
                    )
                    for true, times, x in frames
                ),
                EventScores(),
            )
            key = total.f1, float(np.median(total.leads or (-np.inf,)))
            if key > best_key:
                best_key = key
                best = dataclasses.replace(options, smoothing=share, events=events)
    return best


def run_model(
    args: argparse.Namespace,
) -> tuple[list[Timeline], list[dict[str, Any]], list[dict[str, Prediction]]]:
    """Timelines; then figures and predictions of every policy."""
    every = read_options(args)
    background = every[0].events.get("background", BACKGROUND)
    timelines = find_streams(args.streams, background)
    paths = {Path(path).stem: path for path in find_timelines(args.streams)}
    videos = [find_video(paths[timeline.name]) for timeline in timelines]
    check_names(every[0].labels, timelines)
    shared = StreamingRecognizer(
        args.config, args.checkpoint, args.device, labels=args.label_file
    )
    rows, said = [], []
    for options in every:
        # Not smoothed: that is done afterwards, with every option that is tried.
        raw = dataclasses.replace(options, smoothing=0.0)
        recognizer = shared.fork(options=raw)
        found = read_videos(recognizer, videos, args.fps or options.fps, args.drop)
        read = [
            (timeline, *frames)
            for timeline, frames in zip(timelines, found, strict=True)
        ]
        if args.tune:
            options = tune(read, options, args.tolerance)
        predictions = {
            true.name: predict(true.name, times, scores, options)
            for true, times, scores in read
        }
        policy = options.policy
        rows.append(
            {
                "name": policy if isinstance(policy, str) else policy["name"],
                "fps": args.fps or options.fps,
                "drop": args.drop,
                **score(timelines, predictions, args.tolerance, background),
                "options": {
                    "policy": policy,
                    "smoothing": options.smoothing,
                    "events": options.events,
                },
            }
        )
        said.append(predictions)
    return timelines, rows, said


def main() -> None:
    """Measure, print a table and write what is asked for."""
    args = parse_args()
    try:
        if args.predictions:
            predictions = read_predictions(args.predictions)
            timelines = find_streams(args.streams, BACKGROUND)
            figures = score(timelines, predictions, args.tolerance)
            rows = [{"name": args.predictions.stem, **figures}]
            said = [predictions]
        else:
            timelines, rows, said = run_model(args)
    except (OSError, ValueError) as error:
        sys.exit(f"evaluate: {error}")
    print(as_table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if args.save_predictions:
        write_predictions(list(said[0].values()), args.save_predictions)
    if args.report:
        page = write_report(args.report, str(args.streams), timelines, rows, said)
        print(f"\nReport: {page}", file=sys.stderr)


if __name__ == "__main__":
    main()
