"""Render synthetic clips whose class is the order of a few gestures."""

from __future__ import annotations

import argparse
import os
import sys

from lcr_mmaction.synthetic.dataset import FORMATS, RenderSettings, render_dataset
from lcr_mmaction.synthetic.person import DEFAULT_CLUTTER
from lcr_mmaction.synthetic.tasks import OrderedTask


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="data/synthetic_ordered", help="output folder")
    parser.add_argument("--train", type=int, default=1200, help="training clips")
    parser.add_argument("--val", type=int, default=240, help="validation clips")
    parser.add_argument(
        "--steps", type=int, default=3, help="gestures per clip (2 to 4)"
    )
    parser.add_argument(
        "--gap", type=float, default=6.0, help="mean idle frames between gestures"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes"
    )
    parser.add_argument("--format", choices=FORMATS, default="frames")
    parser.add_argument(
        "--mean-frames", type=float, default=18, help="mean length of one gesture"
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
        task = OrderedTask(args.steps, args.gap)
        settings = RenderSettings(
            args.seed, args.mean_frames, args.format, args.clutter
        )
        sizes = (args.train, args.val)
        rendered = render_dataset(args.out, sizes, settings, args.workers, task)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where it left off")
    kept = args.train + args.val - rendered
    print(
        f"{args.out}: {rendered} synthetic clips of {len(task.classes)} classes "
        f"rendered, {kept} kept"
    )


if __name__ == "__main__":
    main()
