"""Cameras through the recognizer: as one batch, dropping, lost and closed."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from stream_cases import Camera, moving_square, wait_until

from lcr_mmaction.streaming import open_source
from lcr_runtime.live import LiveSource


def camera(frames, pace=0.002):
    """A live source over frames in memory, and the device it reads."""
    device = Camera(frames, pace)
    return LiveSource(0, max_attempts=0, opener=lambda _: device), device


def endless(pace=0.005):
    return camera(moving_square(16) * 1000, pace)


def test_cameras_share_a_batch_each_at_its_own_pace(make_recognizer):
    recognizer = make_recognizer(num_streams=2)
    (fast, _), (slow, _) = endless(0.002), endless(0.04)
    counts = np.zeros(2, int)
    results = recognizer.run_many([fast, slow])
    for batch in results:
        counts += [result is not None for result in batch]
        assert all(r is None or r.stream == i for i, r in enumerate(batch))
        if min(counts) >= 3:
            break
    results.close()
    assert counts[0] > counts[1]
    assert fast.ended and slow.ended


def test_results_count_the_frames_that_came_too_fast(make_recognizer):
    source, _ = endless(0.001)
    results = make_recognizer().run(source)
    next(results)
    time.sleep(0.1)
    late = next(results)
    assert late.index == 1
    assert 0 < late.dropped <= source.dropped
    results.close()


def test_a_lost_camera_does_not_stop_the_others(make_recognizer):
    device = Camera(moving_square(2))
    lost = LiveSource(0, first_delay=60, opener=lambda _: device)
    good, _ = endless()
    results = make_recognizer(num_streams=2).run_many([lost, good])
    wait_until(lambda: device.released)
    seen = [[r is not None for r in batch] for batch in itertools.islice(results, 8)]
    assert sum(good for _, good in seen) >= 6
    assert not lost.ended
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 30  # does not sit out the pause of 60 s
    assert lost.ended and good.ended


def test_source_that_does_not_open_closes_those_that_did(make_recognizer, video):
    first, device = endless()
    second = open_source(video)
    results = make_recognizer(num_streams=3).run_many([first, second, "none.mp4"])
    with pytest.raises(FileNotFoundError, match="none.mp4"):
        next(results)
    assert first.ended and second.ended and device.released


def test_camera_that_is_gone_for_good_is_named_and_closed(make_recognizer):
    source, device = camera(moving_square(3))
    results = make_recognizer().run(source)
    with pytest.raises(ConnectionError, match="lost 0"):
        for _ in results:
            pass
    assert device.released and not source._thread.is_alive()
