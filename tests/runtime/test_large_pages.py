"""An engine's memory is moved to large pages, and no other memory."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys

import numpy as np
import pytest

from lcr_runtime.engines import memory

MIB = 1 << 20


class Advice:
    """Takes the place of the C library and notes what it is told."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.pages: list[int] = []
        self.mincore = library.mincore
        self.madvise = self._Function(self.pages)

    class _Function:
        def __init__(self, pages: list[int]) -> None:
            self.pages = pages

        def __call__(self, page: int, size: int, advice: int) -> int:
            assert (size, advice, page % size) == (2 * MIB, 25, 0)
            self.pages.append(page)
            return 0


@pytest.fixture()
def advice(monkeypatch, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("large pages are asked for on Linux alone")
    switch = tmp_path / "enabled"
    switch.write_text("always [madvise] never\n", encoding="ascii")
    monkeypatch.setattr(memory, "_SWITCH", switch)
    untouched = mapped(8)
    if pages_within(untouched, list(memory._in_use())):
        pytest.skip("this system calls all memory resident")
    found = Advice(ctypes.CDLL(None))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: found)
    return found


def mapped(mib: int) -> np.ndarray:
    """New memory of which nothing is in use yet; one touched byte uses 4 KiB."""
    memory_map = mmap.mmap(-1, mib * MIB, mmap.MAP_PRIVATE)
    with contextlib.suppress(OSError):  # the system has no large pages
        memory_map.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory_map, np.uint8)


def pages_within(array: np.ndarray, pages: list[int]) -> list[int]:
    start = array.ctypes.data
    return [x for x in pages if start <= x and x + 2 * MIB <= start + array.nbytes]


def test_new_memory_in_use_is_moved_and_old_is_not(advice):
    old = mapped(64)
    old[:] = 1
    with memory.large_pages():
        new = mapped(64)
        new[:] = 1
    assert len(pages_within(new, advice.pages)) >= 31
    assert not pages_within(old, advice.pages)


def test_memory_that_is_hardly_used_stays(advice):
    with memory.large_pages():
        reserved = mapped(256)
        reserved[:: 16 * MIB] = 1
    assert not pages_within(reserved, advice.pages)


def test_used_memory_is_found_within_a_mapping_that_is_hardly_used(advice):
    """The system joins mappings that lie side by side and have the same rights."""
    both = mapped(256)
    with memory.large_pages():
        both[64 * MIB : 128 * MIB] = 1
    assert len(pages_within(both, advice.pages)) in (31, 32)
    assert advice.pages == sorted(set(advice.pages))


def test_a_system_set_to_never_is_left_alone(advice):
    memory._SWITCH.write_text("always madvise [never]\n", encoding="ascii")
    with memory.large_pages():
        kept = np.ones(16 * MIB, np.uint8)
    assert not advice.pages
    assert kept[0] == 1


def test_contents_stay():
    with memory.large_pages():
        values = np.random.default_rng(0).random(MIB)
    assert (values == np.random.default_rng(0).random(MIB)).all()
