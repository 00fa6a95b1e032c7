"""Large pages for an engine's memory, where the system has them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = 2 << 20  # bytes of a page, on x86-64 and on 64-bit Arm with small ones of 4 KiB
_COLLAPSE = 25  # MADV_COLLAPSE, since Linux 6.1
_SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")

Range = tuple[int, int]


@contextmanager
def large_pages() -> Iterator[None]:
    """Move the memory that is taken meanwhile to large pages.

    A step reads all weights once. In pages of 4 KiB that is thousands of look-ups of
    addresses, which cost most in a virtual machine: ``docs/deployment.md`` has figures.
    Contents and addresses stay. Only memory that was not there before and is in use to
    nine tenths is moved, so that hardly more is taken. Elsewhere than on Linux, where
    the system is set to ``never`` or refuses, nothing happens.
    """
    before = _in_use() if _offered() else None
    yield
    if before is None:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for start, end in _without(_in_use(), before):
        for page in range(-(-start // _SIZE) * _SIZE, end - _SIZE + 1, _SIZE):
            advise(page, _SIZE, _COLLAPSE)


def _offered() -> bool:
    """Whether there are such pages, and programs may ask for them."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return "[never]" not in _SWITCH.read_text(encoding="ascii")
    except OSError:
        return False


def _in_use() -> list[Range]:
    """Addresses of the process's own writable memory, in order.

    What is reserved and hardly used, such as threads' stacks, is left out.
    """
    found: list[Range] = []
    current: Range | None = None
    try:
        lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        name, *words = line.split()
        if name == "Rss:" and current is not None:
            start, end = current
            if 1024 * int(words[0]) >= 0.9 * (end - start):
                found.append(current)
            current = None
        elif "-" in name and not name.endswith(":"):
            start, end = (int(x, 16) for x in name.split("-"))
            own = words[0] == "rw-p" and words[4:] in ([], ["[heap]"])
            current = (start, end) if own else None
    return found


def _without(ranges: list[Range], others: list[Range]) -> Iterator[Range]:
    """What is left of ranges; both are in order."""
    for start, end in ranges:
        for first, last in others:
            if last <= start or first >= end:
                continue
            if start < first:
                yield start, first
            start = max(start, last)
        if start < end:
            yield start, end
