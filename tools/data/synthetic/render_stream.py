"""Render continuous synthetic videos of several gestures, each with a timeline."""

from __future__ import annotations

import argparse
import os
import sys

from lcr_mmaction.synthetic.person import DEFAULT_CLUTTER, SPLITS
from lcr_mmaction.synthetic.timeline import StreamSettings, render_streams


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="data/synthetic_stream", help="output folder")
    parser.add_argument("--videos", type=int, default=10, help="number of videos")
    parser.add_argument("--gestures", type=int, default=10, help="gestures per video")
    parser.add_argument(
        "--split", choices=SPLITS, default="validation", help="whose people perform"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--mean-frames", type=float, default=32, help="mean gesture length"
    )
    parser.add_argument(
        "--mean-gap", type=float, default=18, help="mean idle frames between gestures"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes"
    )
    parser.add_argument(
        "--clutter",
        type=float,
        default=DEFAULT_CLUTTER,
        help="distraction in room and camera, 0 to 1 (default: %(default)s)",
    )
    return parser.parse_args()


def main() -> None:
    """Render, or say in one line why not."""
    args = parse_args()
    try:
        settings = StreamSettings(
            args.seed,
            args.split,
            args.gestures,
            args.mean_frames,
            args.mean_gap,
            args.clutter,
        )
        paths = render_streams(args.out, args.videos, settings, args.workers)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where it left off")
    print(f"{args.out}: {len(paths)} synthetic videos with timelines")


if __name__ == "__main__":
    main()
