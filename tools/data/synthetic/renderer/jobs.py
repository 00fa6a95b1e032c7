"""Run many small jobs over processes, with visible progress."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import cv2
from rich.progress import track

T = TypeVar("T")
_PRINTED_STEPS = 20


def _start_worker() -> None:
    # One process per core already: OpenCV's own threads would only get in the way.
    cv2.setNumThreads(0)


def _report(done: Iterable[T], total: int, title: str) -> Iterator[T]:
    """A progress bar on a terminal, a line every 5 % in a log file."""
    if sys.stdout.isatty():
        yield from track(done, description=title, total=total)
        return
    start = time.monotonic()
    step = max(1, total // _PRINTED_STEPS)
    for count, item in enumerate(done, start=1):
        yield item
        if count % step == 0 or count == total:
            seconds = time.monotonic() - start
            print(f"{title}: {count}/{total} ({seconds:.0f} s)", flush=True)


def run_jobs(
    work: Callable[[T], None], jobs: list[T], workers: int, title: str
) -> None:
    """Do all jobs; the first failure stops the rest and is raised here.

    Args:
        work: A module-level function of one job.
        jobs: What to do, in any order.
        workers: Number of processes, at least 1; with 1 the work runs here.
        title: What the progress display says.

    Raises:
        ValueError: `workers` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers = {workers}: at least 1 is needed")
    if not jobs:
        return
    if workers == 1:
        _start_worker()
        for _ in _report(map(work, jobs), len(jobs), title):
            pass
        return
    # Forked workers share what is loaded already; elsewhere they start afresh.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    with context.Pool(workers, initializer=_start_worker) as pool:
        done = pool.imap_unordered(work, jobs, chunksize=4)
        for _ in _report(done, len(jobs), title):
            pass
