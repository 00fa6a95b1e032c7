"""What the command lines of the renderers have in common."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .dataset import FORMATS
from .person import DEFAULT_CLUTTER


def add_scene_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed`` and ``--clutter``."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--clutter",
        type=float,
        default=DEFAULT_CLUTTER,
        help="distraction in room and camera, 0 to 1 (default: %(default)s)",
    )


def add_mean_frames(
    parser: argparse.ArgumentParser, default: float, length_of: str
) -> None:
    """Add ``--mean-frames``.

    Args:
        parser: Gets the option.
        default: Of the option.
        length_of: What that is the mean length of, for the help.
    """
    parser.add_argument(
        "--mean-frames",
        type=float,
        default=default,
        help=f"mean length of {length_of} (default: %(default)s)",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes"
    )


def add_dataset_options(
    parser: argparse.ArgumentParser,
    out: str,
    sizes: tuple[int, int],
    mean_frames: float,
    length_of: str,
) -> None:
    """Add the options of a data set of clips.

    Args:
        parser: Gets the options.
        out: Default output folder.
        sizes: Default numbers of training and validation clips.
        mean_frames: As for :func:`add_mean_frames`.
        length_of: As for :func:`add_mean_frames`.
    """
    parser.add_argument("--out", default=out, help="output folder")
    parser.add_argument("--train", type=int, default=sizes[0], help="training clips")
    parser.add_argument("--val", type=int, default=sizes[1], help="validation clips")
    parser.add_argument("--format", choices=FORMATS, default="frames")
    add_scene_options(parser)
    add_mean_frames(parser, mean_frames, length_of)
    add_workers(parser)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line on bad settings, failed writes and Ctrl-C."""
    try:
        yield
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where it left off")
