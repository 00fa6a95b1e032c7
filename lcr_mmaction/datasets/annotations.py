"""Parsing of MMAction2 list files, with errors that name the line."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence

from mmengine.fileio import list_from_file

_SHOWN = 5


class ListFileError(ValueError):
    """A list file that is missing, unreadable or wrong in some lines."""


def read_list(
    path: str, int_columns: Sequence[str], delimiter: str | None = None
) -> list[tuple]:
    """Read a list file of ``<path> <integer> ... <integer>`` lines.

    Lines are split from the right, so with whitespace as the delimiter a path
    may contain spaces.

    Args:
        path: The list file.
        int_columns: Names of the columns after the path, for the messages. None
            may be negative; ``total_frames`` must be at least 1.
        delimiter: Column separator; None is any whitespace.

    Returns:
        One tuple ``(path, integer, ...)`` per line.

    Raises:
        ListFileError: The file is missing, is not text, is empty, or has wrong
            lines; the message shows the first of them with their numbers.
    """
    lines = _lines(path)
    rows, faults = [], []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_parse(line, int_columns, delimiter))
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise ListFileError(
            f"{path} has {len(faults)} bad line(s) of {len(lines)}; each must read "
            f"'{_form(int_columns, delimiter)}':\n" + summary(faults)
        )
    if not rows:
        raise ListFileError(f"{path} is empty: it lists no clip.")
    return rows


def summary(faults: Sequence[str]) -> str:
    """Return the first few faults, one a line, and how many more there are."""
    shown = [f"  {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        shown.append(f"  ... and {len(faults) - _SHOWN} more")
    return "\n".join(shown)


def _lines(path: str) -> list[str]:
    if "://" not in path and not osp.isfile(path):
        folder = osp.dirname(path) or "."
        state = "exists" if osp.isdir(folder) else "does not exist either"
        raise ListFileError(
            f"List file {path} not found; its folder {folder} {state}. Check "
            "data_root and ann_file; docs/data.md tells how to make list files."
        )
    try:
        return list_from_file(path)
    except UnicodeDecodeError as error:
        raise ListFileError(f"{path} is not a text file: {error}.") from error


def _parse(line: str, int_columns: Sequence[str], delimiter: str | None) -> tuple:
    if not line.strip():
        raise ValueError("blank; delete it")
    fields = line.strip().rsplit(delimiter, len(int_columns))
    if len(fields) <= len(int_columns) or fields[0].endswith(","):
        raise ValueError(f"wrong columns in {line!r}{_separator_hint(line)}")
    numbers = []
    for name, field in zip(int_columns, fields[1:], strict=True):
        try:
            number = int(field)
        except ValueError:
            raise ValueError(
                f"{name} is not an integer in {line!r}{_separator_hint(line)}"
            ) from None
        if number < (name == "total_frames"):
            raise ValueError(f"{name} is {number} in {line!r}")
        numbers.append(number)
    return fields[0], *numbers


def _separator_hint(line: str) -> str:
    if ";" in line:
        return (
            "; this looks like one of Jester's own CSV files: "
            "tools/data/jester/build_lists.py turns them into list files"
        )
    if "," in line:
        return "; separate the columns by a space, not a comma"
    return ""


def _form(int_columns: Sequence[str], delimiter: str | None) -> str:
    return (delimiter or " ").join(f"<{name}>" for name in ("path", *int_columns))
