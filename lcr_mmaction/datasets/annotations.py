"""Parsing of MMAction2 list files, with errors that name the line."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Sequence

from mmengine.fileio import get

from lcr_runtime.text import TextFileError, split_lines

_SHOWN = 5
# Days of video, or more classes than anybody has: a slip of the pen.
_LARGEST = 10_000_000


class ListFileError(TextFileError):
    """A list file that is missing, unreadable or wrong in some lines."""


def read_list(
    path: str,
    int_columns: Sequence[str],
    delimiter: str | None = None,
    many_labels: bool = False,
) -> list[tuple]:
    """Read a list file of ``<path> <integer> ... <integer>`` lines.

    Lines are split from the right, so with whitespace as the delimiter a path
    may contain spaces.

    Args:
        path: The list file, text as :func:`lcr_runtime.text.read_lines` takes it.
        int_columns: Names of the columns after the path, for the messages. None
            may be negative; ``total_frames`` must be at least 1.
        delimiter: Column separator; None is any whitespace.
        many_labels: Whether the last column may be repeated or missing. A path must
            then be free of the delimiter.

    Returns:
        One tuple ``(path, integer, ...)`` per line; with ``many_labels`` its last
        member is the list of labels.

    Raises:
        ListFileError: The file is missing, is not text, is empty, or has wrong
            lines; the message shows the first of them with their numbers.
    """
    lines = _lines(path)
    rows, faults = [], []
    for number, line in enumerate(lines, 1):
        try:
            fields = _split(line, len(int_columns), delimiter, many_labels)
            rows.append(_parse(line, fields, int_columns, many_labels))
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise ListFileError(
            f"{path} has {len(faults)} bad line(s) of {len(lines)}; each must read "
            f"'{_form(int_columns, delimiter, many_labels)}':\n" + summary(faults)
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
        return split_lines(get(path), path)
    except TextFileError as error:
        raise ListFileError(str(error)) from error


def _split(
    line: str, count: int, delimiter: str | None, many_labels: bool
) -> list[str]:
    if not line.strip():
        raise ValueError("blank; delete it")
    if many_labels:
        fields = line.strip().split(delimiter)
        too_few = len(fields) < count
    else:
        fields = line.strip().rsplit(delimiter, count)
        too_few = len(fields) <= count
    if too_few or fields[0].endswith(","):
        raise ValueError(f"wrong columns in {line!r}{_separator_hint(line)}")
    return [field.strip() for field in fields]


def _parse(
    line: str, fields: list[str], int_columns: Sequence[str], many_labels: bool
) -> tuple:
    names = list(int_columns)
    if many_labels:
        names[-1:] = [names[-1]] * (len(fields) - len(names))
    numbers: list = []
    for name, field in zip(names, fields[1:], strict=True):
        # Not all that int() takes: "1_0" is more likely a part of a name.
        if not re.fullmatch(r"[+-]?[0-9]+", field):
            spaces = "; a path among several labels must be free of spaces"
            raise ValueError(
                f"{name} is not an integer in {line!r}{_separator_hint(line)}"
                f"{spaces if many_labels else ''}"
            )
        # Compared by length first: Python refuses to convert thousands of digits.
        if len(field) > 12 or int(field) > _LARGEST:
            raise ValueError(f"{name} is more than {_LARGEST} in {line[:200]!r}")
        if int(field) < (name == "total_frames"):
            raise ValueError(f"{name} is {int(field)} in {line!r}")
        numbers.append(int(field))
    if many_labels:
        own = len(int_columns) - 1
        numbers[own:] = [numbers[own:]]
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


def _form(int_columns: Sequence[str], delimiter: str | None, many_labels: bool) -> str:
    form = (delimiter or " ").join(f"<{name}>" for name in ("path", *int_columns))
    return f"{form} ..." if many_labels else form
