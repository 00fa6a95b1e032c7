"""From scores to gestures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lcr_runtime.events import EventDetector
from lcr_runtime.events import detect as detect_all

LABELS = ["Left", "Right", "No gesture"]


def detect(track, **options):
    """Feed rows (Left, Right), the rest being "No gesture", at 10 frames a second."""
    detector = EventDetector(LABELS, **options)
    found = []
    for t, (left, right) in enumerate(track):
        found += detector.update(np.array([left, right, 1 - left - right]), t / 10)
    return found, detector


def started(track, **options):
    """Labels of the gestures that started."""
    return [event.label for event in detect(track, **options)[0] if not event.end]


def test_one_gesture_has_start_peak_end_and_confidence():
    left = [0.0, 0.4, 0.7, 0.9, 0.8, 0.4, 0.1, 0.0]
    events, detector = detect([(x, 0.0) for x in left], min_frames=2)
    start, end = events
    assert (start.phase, end.phase) == ("start", "end")
    assert start.label == end.label == "Left"
    assert start.start == pytest.approx(0.1)  # score rose to `off`
    assert start.detected == pytest.approx(0.3)  # second frame at `on`
    assert start.end is None
    assert end.start == start.start
    assert end.peak == pytest.approx(0.3)
    assert end.end == pytest.approx(0.6)
    assert end.confidence == pytest.approx(0.9)
    assert detector.current is None
    assert json.loads(json.dumps(end.as_dict()))["label"] == "Left"


def test_hysteresis_bridges_a_dip():
    left = [0.7, 0.7, 0.4, 0.7, 0.4, 0.7, 0.1]
    events, _ = detect([(x, 0.0) for x in left])
    assert [event.phase for event in events] == ["start", "end"]


def test_a_flash_shorter_than_min_frames_is_no_gesture():
    left = [0.0, 0.9, 0.0, 0.9, 0.0]
    assert detect([(x, 0.0) for x in left], min_frames=2)[0] == []
    assert len(detect([(x, 0.0) for x in left], min_frames=1, cooldown=0)[0]) == 4


def test_another_gesture_ends_the_first():
    track = [(0.9, 0.0)] * 3 + [(0.35, 0.65)] * 3
    events, detector = detect(track)
    assert [(e.phase, e.label) for e in events] == [
        ("start", "Left"),
        ("end", "Left"),
        ("start", "Right"),
    ]
    assert events[2].start == pytest.approx(0.3)
    assert detector.current.label == "Right"


def test_background_never_starts_a_gesture():
    assert detect([(0.0, 0.0)] * 10)[0] == []
    events, _ = detect([(0.9, 0.0)] * 10, background=["Left"])
    assert events == []


def test_cooldown_keeps_a_gesture_from_starting_twice():
    left = [0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.0]
    track = [(x, 0.0) for x in left]
    assert len(detect(track, cooldown=1.0)[0]) == 2
    assert len(detect(track, cooldown=0.0)[0]) == 4
    # Another gesture may start at once.
    track = [(0.9, 0.0), (0.9, 0.0), (0.0, 0.0), (0.0, 0.9), (0.0, 0.9)]
    assert detect(track, cooldown=1.0)[0][-1].label == "Right"


def test_rest_takes_a_held_hand_for_no_other_gesture():
    swipe = [(0.9, 0.0)] * 3
    held = [(0.2, 0.7)] * 3
    quiet = [(0.0, 0.0)] * 2
    again = [(0.0, 0.9)] * 2
    track = swipe + held + quiet + again
    labels = ["Left", "Right", "Right"]
    assert started(track, rest=0, cooldown=0.0) == labels
    assert started(track, rest=2, cooldown=0.0) == ["Left", "Right"]
    assert started(track, rest=3, cooldown=0.0) == ["Left"]
    # Two gestures with a moment of rest between them are both found.
    assert started(swipe + quiet + swipe, rest=2, cooldown=0.0) == ["Left"] * 2
    # The first gesture of a stream waits for nothing.
    assert started(swipe, rest=5) == ["Left"]


def test_finish_ends_the_open_gesture_once():
    _, detector = detect([(0.9, 0.0)] * 4)
    (event,) = detector.finish()
    assert event.phase == "end" and event.end == pytest.approx(0.3)
    assert detector.finish() == []


def test_reset_forgets_the_open_gesture():
    _, detector = detect([(0.9, 0.0)] * 4)
    detector.reset()
    assert detector.current is None
    assert detector.update(np.array([0.9, 0.0, 0.1]), 0.0) == []  # needs two frames


@pytest.mark.parametrize(
    "options",
    [
        dict(on=0.2, off=0.3),
        dict(on=1.2),
        dict(off=0.0),
        dict(min_frames=0),
        dict(rest=-1),
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match="an event needs"):
        EventDetector(LABELS, **options)


def test_detection_of_a_whole_video_equals_the_streams(make_recognizer, video):
    options = dict(on=0.3, off=0.1, min_frames=1, background=[])
    live = make_recognizer(smoothing=0.6, events=options)
    online = [event for result in live.run(video) for event in result.events]
    online += live.finish()[0]
    raw = list(make_recognizer(smoothing=0.0, events=dict(on=1.0)).run(video))
    scores, times = np.array([x.scores for x in raw]), [x.time for x in raw]
    offline = detect_all(scores, times, live.labels, smoothing=0.6, **options)
    assert offline and offline == online
