"""Render synthetic clips whose class is the order of a few gestures."""

from __future__ import annotations

import argparse

from renderer.command_line import add_dataset_options, one_line_errors
from renderer.dataset import RenderSettings, render_dataset
from renderer.tasks import OrderedTask


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_dataset_options(
        parser, "data/synthetic_ordered", (1200, 240), 18, "one gesture"
    )
    parser.add_argument(
        "--steps", type=int, default=3, help="gestures per clip (2 to 4)"
    )
    parser.add_argument(
        "--gap", type=float, default=6.0, help="mean idle frames between gestures"
    )
    return parser.parse_args()


def main() -> None:
    """Render, or say in one line why not."""
    args = parse_args()
    with one_line_errors():
        task = OrderedTask(args.steps, args.gap)
        settings = RenderSettings(
            args.seed, args.mean_frames, args.format, args.clutter
        )
        sizes = (args.train, args.val)
        rendered = render_dataset(args.out, sizes, settings, args.workers, task)
    kept = args.train + args.val - rendered
    print(
        f"{args.out}: {rendered} synthetic clips of {len(task.classes)} classes "
        f"rendered, {kept} kept"
    )


if __name__ == "__main__":
    main()
