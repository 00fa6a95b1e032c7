"""What the command lines that take a trained model have in common."""

from __future__ import annotations

import argparse


def model_parser(description: str | None) -> argparse.ArgumentParser:
    """Start a command line with ``config`` and ``checkpoint``.

    Args:
        description: The program's docstring, kept as it is laid out.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="LCR config file")
    parser.add_argument("checkpoint", help="weights of the model")
    return parser
