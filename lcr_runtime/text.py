"""Reading of text files that people edit: list files, CSV files, label maps.

Spreadsheets and editors save text in many ways. What can be read without a guess is
read; the rest is refused with the file and the line. Nothing here needs PyTorch.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

# Longer marks first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Control characters but tab and line feed, further line separators, and the
# invisible mark that joining two marked files leaves in the middle.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_AS_UTF8 = "save it as UTF-8 text ('CSV UTF-8' in Excel)"


class TextFileError(ValueError):
    """A text file that cannot be read without a guess, or is wrong in some line."""


def read_lines(path: str | Path) -> list[str]:
    """Read the lines of a local text file.

    Args:
        path: UTF-8 with or without a byte-order mark, or UTF-16 or UTF-32 with one;
            lines may end as on any system.

    Returns:
        The lines without their ends; an end of line at the end of the file does not
        begin another line.

    Raises:
        OSError: The file is missing or out of reach.
        TextFileError: It is not such a text.
    """
    return split_lines(Path(path).read_bytes(), str(path))


def split_lines(content: bytes, name: str) -> list[str]:
    """Decode the content of a text file, as :func:`read_lines` does.

    Args:
        content: All bytes of the file.
        name: What to call it in an error.

    Raises:
        TextFileError: It is not such a text.
    """
    mark, encoding = next(
        ((mark, code) for mark, code in _MARKS if content.startswith(mark)),
        (b"", "utf-8"),
    )
    content = content[len(mark) :]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = _unify_ends(content[: error.start].decode(encoding))
        raise TextFileError(
            f"{name} is not a text file in {encoding.upper()}: line "
            f"{before.count(chr(10)) + 1} has the bytes "
            f"{content[error.start : error.end].hex(' ')}; {_AS_UTF8}."
        ) from error
    lines = _lines(text)
    for number, line in enumerate(lines, 1):
        if found := _FORBIDDEN.search(line):
            binary = " Is it a binary file, or UTF-16 without its mark?"
            raise TextFileError(
                f"{name} is not a plain text file: line {number} has the invisible "
                f"character U+{ord(found[0]):04X} at position {found.start() + 1}."
                f"{binary if found[0] == chr(0) else ''} Delete it, or {_AS_UTF8}."
            )
    return lines


def _lines(text: str) -> list[str]:
    # Not str.splitlines(), which also splits at characters that names may hold.
    lines = _unify_ends(text).split("\n")
    return lines if lines[-1] else lines[:-1]


def _unify_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_label_map(path: str | Path) -> list[str]:
    """Read the names of the classes, one a line; class 0 first.

    Args:
        path: As for :func:`read_lines`.

    Returns:
        The names without the spaces around them.

    Raises:
        OSError: The file is missing or out of reach.
        TextFileError: It is not such a text, is empty, has a blank line before a
            name, which would shift the classes, or names a class twice.
    """
    names = [line.strip() for line in read_lines(path)]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise TextFileError(f"{path} is empty: it must name one class a line.")
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise TextFileError(
                f"{path} line {number} is blank: the line gives a class its number, "
                "so it must name one, or be deleted."
            )
        if name in first:
            raise TextFileError(
                f"{path} names the class {name!r} twice, in lines {first[name]} and "
                f"{number}."
            )
        first[name] = number
    return names


def is_one_line(text: str) -> bool:
    """Whether a text can stand in a line of a file and be read back as it is."""
    try:
        return split_lines(f"{text}\n".encode(), "") == [text]
    except (TextFileError, UnicodeEncodeError):
        return False


def write_lines(path: str | Path, lines: list[str]) -> None:
    """Write lines the way :func:`read_lines` reads them on any system.

    Raises:
        TextFileError: A line would not be read back as it is.
    """
    for number, line in enumerate(lines, 1):
        if not is_one_line(line):
            raise TextFileError(
                f"Line {number} of {path} would be {line!r}, which holds characters "
                "that no text file can: rename the file or folder."
            )
    Path(path).write_bytes("".join(f"{line}\n" for line in lines).encode())
