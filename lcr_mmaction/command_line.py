"""What the command lines of the tools and demos have in common.

What is wrong with an argument is said before any work starts.
"""

from __future__ import annotations

import argparse

from lcr_runtime.arguments import input_file, output_file, output_folder, positive

from .deployment.shipped import shipped_model

SHIPPED = "shipped"

__all__ = [
    "add_label_file",
    "input_file",
    "model_parser",
    "output_file",
    "output_folder",
    "positive",
]


def model_parser(
    description: str | None, optional: bool = False
) -> argparse.ArgumentParser:
    """Start a command line with ``config`` and ``checkpoint``.

    ``shipped`` in their place stands for the files of :func:`.shipped.shipped_model`.

    Args:
        description: The program's docstring, kept as it is laid out.
        optional: Whether both may be left out.
    """

    def config(path: str) -> str:
        return str(shipped_model().config if path == SHIPPED else input_file(path))

    def checkpoint(path: str) -> str:
        if path == SHIPPED:
            return str(shipped_model().checkpoint)
        return path if "://" in path else str(input_file(path))

    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    nargs = "?" if optional else None
    parser.add_argument(
        "config",
        type=config,
        nargs=nargs,
        help=f"LCR config file; {SHIPPED!r}: the package's own",
    )
    parser.add_argument(
        "checkpoint",
        type=checkpoint,
        nargs=nargs,
        help=f"weights of the model, or {SHIPPED!r}",
    )
    return parser


def add_label_file(parser: argparse.ArgumentParser) -> None:
    """Add ``--label-file``."""
    parser.add_argument(
        "--label-file",
        type=input_file,
        help="names of the classes, one a line; default: those of the config",
    )
