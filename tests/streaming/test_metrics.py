"""Detected gestures against a timeline."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lcr_mmaction.streaming.metrics import (
    EventScores,
    TrueGesture,
    detect,
    match_events,
    read_timeline,
    smooth,
)
from lcr_runtime.events import GestureEvent


def event(label, detected, phase="start"):
    return GestureEvent(phase, label, 0, detected, detected, None, 0.9, detected)


TRUTH = [
    TrueGesture("Left", 1.0, 3.0, 2.5),
    TrueGesture("Right", 5.0, 7.0, 6.5),
    TrueGesture("Left", 8.0, 10.0, 9.5),
]


def test_counts_hits_misses_and_false_events():
    events = [
        event("Left", 2.0),
        event("Left", 2.8),  # a second time: false
        event("Left", 2.9, phase="end"),  # ends do not count
        event("Left", 5.5),  # wrong class
        event("Left", 10.4),  # late, within tolerance
        event("Right", 11.0),  # nothing there
    ]
    scores = match_events(events, TRUTH, seconds=30.0, tolerance=0.5)
    assert (scores.hits, scores.misses, scores.false_events) == (2, 1, 3)
    assert scores.precision == pytest.approx(2 / 5)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(4 / 8)
    summary = scores.summary()
    assert summary["false_events_per_minute"] == pytest.approx(6)
    assert summary["median_delay_s"] == pytest.approx((1.0 + 2.4) / 2)
    assert summary["median_lead_s"] == pytest.approx((0.5 - 0.9) / 2)


def test_too_late_and_too_early_are_false():
    events = [event("Left", 0.9), event("Left", 3.6)]
    scores = match_events(events, TRUTH[:1], seconds=10.0, tolerance=0.5)
    assert (scores.hits, scores.misses, scores.false_events) == (0, 1, 2)
    assert scores.f1 == 0 and math.isnan(scores.summary()["median_delay_s"])


def test_scores_add_up():
    total = EventScores(1, 2, 3, 60, (1.0,), (0.5,)) + EventScores(3, 0, 1, 30, (2.0,))
    assert total == EventScores(4, 2, 4, 90, (1.0, 2.0), (0.5,))


def test_timeline_leaves_background_out(tmp_path):
    def at(name, frame):
        return dict(
            name=name,
            start_frame=frame,
            end_frame=frame + 24,
            core_start_frame=frame + 6,
            core_end_frame=frame + 18,
        )

    events = [at("Thumb Up", 12), at("Doing other things", 48)]
    timeline = dict(fps=12, num_frames=120, events=events)
    (tmp_path / "t.json").write_text(json.dumps(timeline))
    gestures, seconds = read_timeline(tmp_path / "t.json")
    assert gestures == [TrueGesture("Thumb Up", 1.0, 3.0, 2.5)]
    assert seconds == 10.0


def test_rendered_timeline_is_read(tmp_path):
    """The renderer's own file, in case its format changes."""
    from renderer.timeline import StreamSettings, draw_stream

    stream = draw_stream(StreamSettings(gestures=3), 0)
    (tmp_path / "t.json").write_text(json.dumps(stream.timeline()))
    gestures, seconds = read_timeline(tmp_path / "t.json")
    assert 0 < len(gestures) <= 3
    assert all(g.start < g.core_end <= g.end <= seconds for g in gestures)


def test_smoothing_as_in_streaming():
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    expected = [[1, 0], [0.75, 0.25], [0.5625, 0.4375]]
    np.testing.assert_allclose(smooth(scores, 0.75), expected)


def test_detection_of_a_whole_video_equals_the_streams(make_recognizer, video):
    options = dict(on=0.3, off=0.1, min_frames=1, background=[])
    live = make_recognizer(smoothing=0.6, events=options)
    online = [event for result in live.run(video) for event in result.events]
    online += live.finish()[0]
    raw = list(make_recognizer(smoothing=0.0, events=dict(on=1.0)).run(video))
    scores, times = np.array([x.scores for x in raw]), [x.time for x in raw]
    offline = detect(scores, times, live.labels, smoothing=0.6, **options)
    assert offline and offline == online
