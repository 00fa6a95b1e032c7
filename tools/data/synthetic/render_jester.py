"""Render synthetic hand gestures in the layout of the Jester data set."""

from __future__ import annotations

import argparse

from renderer.command_line import add_dataset_options, one_line_errors
from renderer.dataset import RenderSettings, render_dataset


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_dataset_options(parser, "data/synthetic_jester", (3000, 540), 32, "a clip")
    return parser.parse_args()


def main() -> None:
    """Render, or say in one line why not."""
    args = parse_args()
    with one_line_errors():
        settings = RenderSettings(
            args.seed, args.mean_frames, args.format, args.clutter
        )
        sizes = (args.train, args.val)
        rendered = render_dataset(args.out, sizes, settings, args.workers)
    kept = args.train + args.val - rendered
    print(f"{args.out}: {rendered} synthetic clips rendered, {kept} kept")


if __name__ == "__main__":
    main()
