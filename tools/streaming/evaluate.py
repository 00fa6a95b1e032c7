"""Measure gesture detection on continuous synthetic videos.

Renders the videos if they are not there, runs the stream, and prints event F1,
precision, recall, false events per minute and the time to detection, for one or more
policies. ``--tune`` also searches smoothing and thresholds: use it on the training
split, then measure what it found on the validation split.

Examples:
    python tools/streaming/evaluate.py CONFIG CHECKPOINT
    python tools/streaming/evaluate.py CONFIG CHECKPOINT --split train --tune
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import operator
import sys
from pathlib import Path

import numpy as np

from lcr_mmaction.deployment.command_line import model_parser
from lcr_mmaction.streaming import POLICIES, StreamingRecognizer
from lcr_mmaction.streaming.metrics import (
    EventScores,
    detect,
    match_events,
    read_timeline,
)

sys.path.append(str(Path(__file__).resolve().parents[1] / "data" / "synthetic"))
from renderer.timeline import StreamSettings, render_streams  # noqa: E402

Video = tuple[np.ndarray, list[float], list, float]

NAMES = {kind: name for name, kind in POLICIES.items()}
GRID = {
    "smoothing": (0.0, 0.3, 0.5, 0.7, 0.8),
    "on": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "min_frames": (1, 2, 3, 4),
    "cooldown": (0.0, 0.5, 1.0),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__)
    parser.add_argument(
        "--streams",
        type=Path,
        default=Path("data/synthetic-streams"),
        help="folder of the videos; each split has its own below it",
    )
    parser.add_argument(
        "--split", choices=("train", "validation"), default="validation"
    )
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--gestures", type=int, default=10, help="of each video")
    parser.add_argument(
        "--mean-frames", type=float, default=32, help="of a gesture, rest to rest"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="for rendering")
    parser.add_argument(
        "--policies", nargs="+", choices=POLICIES, help="default: the config's"
    )
    parser.add_argument("--tune", action="store_true", help="search the thresholds")
    parser.add_argument(
        "--tolerance", type=float, default=0.5, help="seconds after a gesture's end"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def render(args: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Videos and timelines, rendered where they are missing."""
    settings = StreamSettings(args.seed, args.split, args.gestures, args.mean_frames)
    name = f"{args.split}-{args.seed}-{args.gestures}x{args.mean_frames:g}"
    return list(
        render_streams(args.streams / name, args.videos, settings, args.workers)
    )


def read_video(recognizer: StreamingRecognizer, video: Path, timeline: Path) -> Video:
    """Raw scores and times of a video's frames, its gestures and its length."""
    scores, times = [], []
    for result in recognizer.run(video):
        scores.append(result.scores)
        times.append(result.time)
    gestures, seconds = read_timeline(timeline)
    return np.array(scores), times, gestures, seconds


def score(
    videos: list[Video], labels: list[str], options: dict, tolerance: float
) -> EventScores:
    """Detect and match in all videos."""
    parts = [
        match_events(detect(x, times, labels, **options), truth, seconds, tolerance)
        for x, times, truth, seconds in videos
    ]
    return functools.reduce(operator.add, parts)


def tune(videos: list[Video], labels: list[str], tolerance: float) -> dict:
    """Options of the grid with the best F1; of equals those that detect earlier."""
    best, best_key = {}, (-1.0, 0.0)
    for values in itertools.product(*GRID.values()):
        options = dict(zip(GRID, values, strict=True))
        options["off"] = options["on"] / 2
        figures = score(videos, labels, options, tolerance).summary()
        key = figures["f1"], figures["median_lead_s"]
        if key > best_key:
            best, best_key = options, key
    return best


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    paths = render(args)
    settings = StreamingRecognizer(args.config, args.checkpoint, args.device)
    rows = []
    for policy in args.policies or [None]:
        # Not smoothed: that is done afterwards, with every option that is tried.
        recognizer = StreamingRecognizer(
            args.config, args.checkpoint, args.device, policy=policy, smoothing=0.0
        )
        videos = [read_video(recognizer, *pair) for pair in paths]
        labels = recognizer.labels
        options = {"smoothing": settings.options.smoothing, **settings.options.events}
        if args.tune:
            options = tune(videos, labels, args.tolerance)
        figures = score(videos, labels, options, args.tolerance).summary()
        name = policy or NAMES[type(recognizer.policy)]
        rows.append({"policy": name, **figures, "options": options})
    print(as_table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


def as_table(rows: list[dict]) -> str:
    """The figures as a Markdown table, on synthetic videos only."""
    lines = [
        "Continuous synthetic videos:",
        "",
        "| policy | F1 | precision | recall | false/min | delay | lead | options |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        options = ", ".join(f"{k}={v:g}" for k, v in row["options"].items())
        lines.append(
            f"| {row['policy']} | {row['f1']:.3f} | {row['precision']:.3f} "
            f"| {row['recall']:.3f} | {row['false_events_per_minute']:.2f} "
            f"| {row['median_delay_s']:.2f} s | {row['median_lead_s']:+.2f} s "
            f"| {options} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
