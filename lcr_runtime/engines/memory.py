"""Large pages for the memory of engines and of training, where the system has them."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_SIZE = 2 << 20  # bytes of a page, on x86-64 and on 64-bit Arm with small ones of 4 KiB
_COLLAPSE = 25  # MADV_COLLAPSE, since Linux 6.1
_SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@contextmanager
def large_pages() -> Iterator[None]:
    """Move the memory that is taken meanwhile to large pages.

    A step reads all weights once. In pages of 4 KiB that is thousands of look-ups of
    addresses, which cost most in a virtual machine: ``docs/deployment.md`` has figures.
    Contents and addresses stay. Only memory that was not there before and is in use to
    nine tenths is moved, so that hardly more is taken. Elsewhere than on Linux, where
    the system is set to ``never`` or refuses, nothing happens.
    """
    before = _in_use() if _offered() else set()
    yield
    move_to_large_pages(before)


def move_to_large_pages(kept: Set[int] = frozenset()) -> None:
    """Move the process's own memory to large pages, as :func:`large_pages` does.

    Args:
        kept: Addresses of large pages that stay as they are.
    """
    if not _offered():
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in sorted(_in_use() - kept):
        advise(page, _SIZE, _COLLAPSE)


def _offered() -> bool:
    """Whether there are such pages, and programs may ask for them."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return "[never]" not in _SWITCH.read_text(encoding="ascii")
    except OSError:
        return False


def _in_use() -> set[int]:
    """Addresses, multiples of a large page, whose memory is in use to nine tenths.

    Each is asked for by itself: the system joins neighbours to one mapping, and what a
    thread has reserved and never used may be one of them.
    """
    resident = ctypes.CDLL(None).mincore
    resident.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    found: set[int] = set()
    for start, end in _own_memory():
        start, end = -(-start // _SIZE) * _SIZE, end // _SIZE * _SIZE
        if start >= end:
            continue
        small = np.zeros((end - start) // mmap.PAGESIZE, np.uint8)
        if resident(start, end - start, small.ctypes.data):
            continue  # gone meanwhile
        share = (small & 1).reshape((end - start) // _SIZE, -1).mean(axis=1)
        found.update(start + _SIZE * int(i) for i in np.flatnonzero(share >= 0.9))
    return found


def _own_memory() -> Iterator[tuple[int, int]]:
    """Start and end of every writable mapping that is no file's and no stack."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        span, rights, _, _, _, *name = line.split()
        if rights == "rw-p" and name in ([], ["[heap]"]):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
