"""Write a picture of synthetic gestures, one row of frames per class."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
from renderer.classes import CLASSES
from renderer.command_line import add_mean_frames, add_scene_options
from renderer.contact_sheet import contact_sheet
from renderer.person import SPLITS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="contact_sheet.png", help="picture to write")
    parser.add_argument(
        "--classes",
        type=int,
        nargs="+",
        default=list(range(len(CLASSES))),
        metavar="LABEL",
        help="class indices (default: all 27)",
    )
    parser.add_argument("--columns", type=int, default=8, help="frames per class")
    parser.add_argument("--split", choices=SPLITS, default="validation")
    add_scene_options(parser)
    add_mean_frames(parser, 32, "a clip")
    parser.add_argument(
        "--example", type=int, default=0, help="which clip of each class, from 0"
    )
    args = parser.parse_args()
    for label in args.classes:
        if not 0 <= label < len(CLASSES):
            parser.error(f"class {label} is out of range: expected 0 to 26")
    return args


def main() -> None:
    """Write the picture, or say in one line why not."""
    args = parse_args()
    try:
        sheet = contact_sheet(
            args.classes,
            args.columns,
            args.split,
            args.seed,
            args.mean_frames,
            args.example,
            args.clutter,
        )
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(args.out, sheet)
    except (ValueError, OSError, cv2.error) as error:
        sys.exit(f"error: {error}")
    if not written:
        sys.exit(f"error: could not write {args.out}")
    print(args.out)


if __name__ == "__main__":
    main()
