"""Render continuous synthetic videos of several gestures, each with a timeline."""

from __future__ import annotations

import argparse

from renderer.cases import CASES
from renderer.command_line import (
    add_mean_frames,
    add_scene_options,
    add_workers,
    one_line_errors,
)
from renderer.dataset import FORMATS
from renderer.person import SPLITS
from renderer.timeline import StreamSettings, render_streams
from renderer.writers import FPS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", help="output folder; default: data/synthetic_streams/SPLIT[_CASE]"
    )
    parser.add_argument("--videos", type=int, default=10, help="number of videos")
    parser.add_argument("--gestures", type=int, default=10, help="gestures per video")
    parser.add_argument(
        "--split", choices=SPLITS, default="validation", help="whose people perform"
    )
    parser.add_argument(
        "--mean-gap", type=float, default=18, help="mean idle frames between gestures"
    )
    parser.add_argument(
        "--fps", type=int, default=FPS, help="frames a second (default: %(default)s)"
    )
    parser.add_argument("--format", choices=FORMATS, default="videos")
    parser.add_argument(
        "--case",
        choices=CASES,
        default="ordinary",
        help="what is hard about the gestures; background has none",
    )
    add_scene_options(parser)
    add_mean_frames(parser, 32, "a gesture")
    add_workers(parser)
    args = parser.parse_args()
    name = args.split if args.case == "ordinary" else f"{args.split}_{args.case}"
    args.out = args.out or f"data/synthetic_streams/{name}"
    return args


def main() -> None:
    """Render, or say in one line why not."""
    args = parse_args()
    with one_line_errors():
        settings = StreamSettings(
            args.seed,
            args.split,
            args.gestures,
            args.mean_frames,
            args.mean_gap,
            args.clutter,
            args.format,
            args.case,
            args.fps,
        )
        paths = render_streams(args.out, args.videos, settings, args.workers)
    print(f"{args.out}: {len(paths)} synthetic videos with timelines")


if __name__ == "__main__":
    main()
