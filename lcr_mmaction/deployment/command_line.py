"""What the command lines that take a trained model have in common."""

from __future__ import annotations

import argparse

from .shipped import shipped_model

SHIPPED = "shipped"


def model_parser(description: str | None) -> argparse.ArgumentParser:
    """Start a command line with ``config`` and ``checkpoint``.

    ``shipped`` in their place stands for the files of :func:`.shipped.shipped_model`.

    Args:
        description: The program's docstring, kept as it is laid out.
    """

    def config(path: str) -> str:
        return shipped_model().config if path == SHIPPED else path

    def checkpoint(path: str) -> str:
        return shipped_model().checkpoint if path == SHIPPED else path

    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "config", type=config, help=f"LCR config file; {SHIPPED!r}: the package's own"
    )
    parser.add_argument(
        "checkpoint", type=checkpoint, help=f"weights of the model, or {SHIPPED!r}"
    )
    return parser
