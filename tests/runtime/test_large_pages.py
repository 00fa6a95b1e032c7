"""An engine's memory is moved to large pages, and no other memory."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import pytest

from lcr_runtime.engines import memory

MIB = 1 << 20


class Advice:
    """Takes the place of the C library and notes what it is told."""

    def __init__(self) -> None:
        self.pages: list[int] = []
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
    found = Advice()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: found)
    return found


def filled(mib: int) -> np.ndarray:
    return np.ones(mib * MIB, np.uint8)


def pages_within(array: np.ndarray, pages: list[int]) -> list[int]:
    start = array.ctypes.data
    return [x for x in pages if start <= x and x + 2 * MIB <= start + array.nbytes]


def test_new_memory_in_use_is_moved_and_old_is_not(advice):
    old = filled(64)
    with memory.large_pages():
        new = filled(64)
    assert len(pages_within(new, advice.pages)) >= 30
    assert not pages_within(old, advice.pages)


def test_memory_that_is_hardly_used_stays(advice):
    with memory.large_pages():
        reserved = np.empty(256 * MIB, np.uint8)
    assert not pages_within(reserved, advice.pages)


def test_a_system_set_to_never_is_left_alone(advice):
    memory._SWITCH.write_text("always madvise [never]\n", encoding="ascii")
    with memory.large_pages():
        kept = filled(16)
    assert not advice.pages
    assert kept[0] == 1


def test_contents_stay():
    with memory.large_pages():
        values = np.random.default_rng(0).random(MIB)
    assert (values == np.random.default_rng(0).random(MIB)).all()


@pytest.mark.parametrize(
    ("ranges", "others", "left"),
    [
        ([(0, 9)], [], [(0, 9)]),
        ([(0, 9)], [(0, 4)], [(4, 9)]),
        ([(0, 9)], [(2, 4), (6, 7)], [(0, 2), (4, 6), (7, 9)]),
        ([(0, 3), (5, 9)], [(1, 6)], [(0, 1), (6, 9)]),
        ([(2, 3)], [(0, 9)], []),
    ],
)
def test_what_was_there_before_is_taken_off(ranges, others, left):
    assert list(memory._without(ranges, others)) == left
