"""Types of command-line arguments, for ``type=``.

What is wrong with an argument is said before any work starts.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def input_file(text: str) -> Path:
    """A file to read, for ``type=``; it must be there."""
    path = Path(text)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise argparse.ArgumentTypeError(f"{path} is {what}: give a file")
    return path


def output_file(*suffixes: str):
    """A file to write, for ``type=``.

    Its folder must exist and let it be written. A file that is there is replaced
    when the program is done, not before.

    Args:
        *suffixes: What its name must end in, such as ``.mp4``; anything if none.

    Returns:
        A function from the argument to its path.
    """

    def check(text: str) -> Path:
        path = Path(text)
        if suffixes and path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{path} must end in {_one_of(suffixes)}")
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{path} is a folder: give a file")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(
                f"there is no folder {path.parent} to write {path.name} into"
            )
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise argparse.ArgumentTypeError(f"{path} may not be written")
        return path

    return check


def output_folder(text: str) -> Path:
    """A folder to write into, for ``type=``; it is made if it is not there."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{path} cannot be made a folder: {error.strerror}"
        ) from error
    if not os.access(path, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} may not be written into")
    return path


def positive(kind: type):
    """A number above 0, for ``type=``.

    Args:
        kind: ``int`` or ``float``.

    Returns:
        A function from the argument to the number.
    """

    def check(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not 0 < value < float("inf"):
            noun = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text} is not a {noun} above 0")
        return value

    return check


def _one_of(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
