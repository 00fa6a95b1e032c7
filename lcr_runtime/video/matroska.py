"""Whether a Matroska or WebM file is all there."""

from __future__ import annotations

from os.path import getsize

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
HEAD = 256  # bytes that hold the header and the start of the segment


def lost_bytes(path: str) -> int:
    """How many bytes the file should go on, by the size of its segment (RFC 8794).

    FFmpeg reads a file cut short to its end without a word.

    Returns:
        0 where nothing is missing, or the file does not say how long it is.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not head.startswith(EBML):
        return 0
    size, start = _number(head, len(EBML))
    at = start + size
    if head[at : at + 4] != SEGMENT:
        return 0
    size, start = _number(head, at + 4)
    return max(0, start + size - getsize(path))


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends; 0 if it is unknown."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > 8:
        return 0, at
    value = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
    unknown = value == (1 << 7 * length) - 1
    return (0 if unknown else value), at + length
