"""Figures of whole sets of videos, and the files they are read from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lcr_mmaction.streaming.predictions import (
    Detection,
    Prediction,
    detections,
    read_predictions,
    write_predictions,
)
from lcr_mmaction.streaming.scoring import score
from lcr_mmaction.streaming.timeline import (
    Timeline,
    TrueGesture,
    find_timelines,
    find_video,
    read_timeline,
)
from lcr_runtime.events import EventDetector

LABELS = ("Left", "Right", "No gesture")


def gestures(*labels: str) -> tuple[TrueGesture, ...]:
    """One every ten seconds, two seconds long."""
    return tuple(
        TrueGesture(x, 10.0 * i, 10.0 * i + 2, 10.0 * i + 1.5)
        for i, x in enumerate(labels)
    )


def found(*events: tuple[str, float]) -> tuple[Detection, ...]:
    return tuple(Detection(*event) for event in events)


TIMELINES = [
    Timeline("a", gestures("Left", "Left", "Right"), 40.0),
    Timeline("b", gestures("Right"), 20.0),
    Timeline("quiet", (), 1800.0),
]
PREDICTIONS = {
    "a": Prediction("a", found(("Left", 1.0), ("Right", 21.0))),  # a repeat is missed
    "b": Prediction("b", found(("Left", 1.0), ("Left", 2.2), ("Right", 2.3))),
    "quiet": Prediction("quiet", found(("Left", 900.0))),
}


def test_levenshtein_accuracy_is_weighted_by_gestures():
    figures = score(TIMELINES, PREDICTIONS)
    a, b, quiet = figures["per_video"]
    assert a["levenshtein_accuracy"] == pytest.approx(1 - 1 / 3)
    assert b["levenshtein_accuracy"] == pytest.approx(1 - 2 / 1)  # may be negative
    assert quiet["levenshtein_accuracy"] is None
    assert figures["levenshtein_accuracy"] == pytest.approx(1 - (1 + 2 + 1) / 4)
    weighted = (3 * a["levenshtein_accuracy"] + b["levenshtein_accuracy"]) / 4
    loud = score(TIMELINES[:2], {x: PREDICTIONS[x] for x in "ab"})
    assert loud["levenshtein_accuracy"] == pytest.approx(weighted)


def test_false_events_are_counted_by_the_hour():
    figures = score(TIMELINES, PREDICTIONS)
    assert figures["background"] == {"hours": 0.5, "false_events_per_hour": 2.0}
    assert figures["false_events_per_hour"] == pytest.approx(3 / (1860 / 3600))
    quiet = score(TIMELINES[2:], {"quiet": PREDICTIONS["quiet"]})
    assert quiet["f1"] is None and quiet["false_events_per_hour"] == 2.0
    loud = score(TIMELINES[:2], {x: PREDICTIONS[x] for x in "ab"})
    assert loud["background"] == {"hours": 0, "false_events_per_hour": None}


def test_figures_over_tolerances_and_time():
    figures = score(TIMELINES, PREDICTIONS, tolerance=0.0)
    assert (figures["recall"], figures["precision"]) == (2 / 4, 2 / 6)
    by_tolerance = {x["tolerance_s"]: x["recall"] for x in figures["tolerances"]}
    assert by_tolerance[0.0] == 2 / 4 and by_tolerance[0.5] == 3 / 4
    assert figures["delay_s"]["p50"] == pytest.approx(1.0)
    assert figures["lead_s"]["p50"] == pytest.approx(0.5)
    early = {x["fraction"]: x["detected"] for x in figures["early_recognition"]}
    assert (early[0.4], early[0.5], early[1.0]) == (0, 2 / 4, 2 / 4)
    assert figures["frame_map"] is None  # no scores of frames were given
    json.dumps(figures)


def test_frames_are_measured_where_there_are_scores():
    times = np.arange(40.0)
    scores = np.full((40, 3), 0.1)
    for gesture in TIMELINES[0].gestures:
        inside = (times >= gesture.start) & (times < gesture.end)
        scores[inside, LABELS.index(gesture.label)] = 0.8
    said = {"a": Prediction("a", (), times, scores, LABELS)}
    figures = score(TIMELINES[:1], said)
    assert figures["frame_map"] == pytest.approx(1.0)
    assert [x["leading"] for x in figures["early_recognition"]][:5] == [1.0] * 5
    assert figures["f1"] == 0 and figures["delay_s"] is None


def test_other_videos_are_named():
    with pytest.raises(ValueError, match=r"lack \['quiet'\].*lack \['c'\]"):
        said = {"a": PREDICTIONS["a"], "b": PREDICTIONS["b"], "c": PREDICTIONS["b"]}
        score(TIMELINES, said)


def test_predictions_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "said.json"
    event = Detection("Left", 2.25, start=1.5, confidence=0.9)
    scores = np.array([[0.1, 0.2, 0.7], [0.6, 0.1, 0.3]])
    first = Prediction("a", (event,), np.array([0.0, 0.25]), scores, LABELS)
    write_predictions([first, Prediction("b", ())], path)
    read = read_predictions(path)
    assert read["a"].events == (event,) and read["a"].labels == LABELS
    np.testing.assert_array_equal(read["a"].scores, scores)
    assert read["b"].scores is None and not read["b"].events


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSON"),
        ('{"videos": {"a": {}}}', "video 'a'.*'events'"),
        ('{"videos": {"a": {"events": [{"label": "Left"}]}}}', "'detected'"),
        ('{"videos": {"a": {"events": [{"label": 3, "detected": 1}]}}}', "label 3"),
        (
            '{"labels": ["x"], "videos": {"a": {"events": [], "times": [0],'
            ' "scores": [[0.5, 0.5]]}}}',
            r"\(1, 2\) for 1 times and 1 labels",
        ),
        (
            '{"labels": ["x"], "videos": {"a": {"events": [], "times": [1, 0],'
            ' "scores": [[1], [1]]}}}',
            "times go backwards",
        ),
    ],
)
def test_files_that_are_no_predictions_are_named(tmp_path, content, message):
    path = tmp_path / "said.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"{path.name}.*{message}"):
        read_predictions(path)


def test_a_gesture_of_a_stream_is_one_detection():
    detector = EventDetector(LABELS, min_frames=1, cooldown=0)
    events = []
    for t, left in enumerate([0.9, 0.95, 0.0, 0.9]):
        events += detector.update(np.array([left, 0, 1 - left]), t / 10)
    assert detections(events) == (
        Detection("Left", 0.0, 0.0, 0.2, 0.95),
        Detection("Left", 0.3, 0.3, None, 0.9),
    )


def event(name: str, frame: int) -> dict:
    return dict(name=name, start_frame=frame, end_frame=frame + 24)


def test_timeline_leaves_background_out(tmp_path):
    last = event("Thumb Up", 80) | dict(core_end_frame=98)
    events = [last, event("Thumb Up", 12), event("Doing other things", 48)]
    timeline = dict(fps=12, num_frames=120, events=events)
    (tmp_path / "t.json").write_text(json.dumps(timeline))
    read = read_timeline(tmp_path / "t.json")
    assert (read.name, read.seconds) == ("t", 10.0)
    assert read.gestures == (
        TrueGesture("Thumb Up", 1.0, 3.0, 3.0),
        TrueGesture("Thumb Up", 80 / 12, 104 / 12, 98 / 12),
    )
    assert len(read_timeline(tmp_path / "t.json", background=()).gestures) == 3


def test_rendered_timeline_is_read(tmp_path):
    """The renderer's own file, in case its format changes."""
    from renderer.timeline import StreamSettings, draw_stream

    stream = draw_stream(StreamSettings(gestures=3), 0)
    (tmp_path / "t.json").write_text(json.dumps(stream.timeline()))
    read = read_timeline(tmp_path / "t.json")
    assert 0 < len(read.gestures) <= 3
    assert all(g.start < g.core_end <= g.end <= read.seconds for g in read.gestures)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(fps=0), "fps = 0"),
        (dict(num_frames=30), "within 2.5 s"),
        (dict(events=[dict(name="Left", start_frame=3)]), "'end_frame'"),
    ],
)
def test_files_that_are_no_timelines_are_named(tmp_path, change, message):
    timeline = dict(fps=12, num_frames=120, events=[event("Left", 12)]) | change
    (tmp_path / "t.json").write_text(json.dumps(timeline))
    with pytest.raises(ValueError, match=f"t.json is no timeline.*{message}"):
        read_timeline(tmp_path / "t.json")


@pytest.mark.parametrize("places", [("timelines", "videos"), (".", ".")])
def test_videos_are_found_beside_their_timelines(tmp_path, places):
    timelines, videos = (tmp_path / place for place in places)
    for folder in (timelines, videos):
        folder.mkdir(exist_ok=True)
    (tmp_path / "synthetic-settings.json").write_text("{}")
    (timelines / "b.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no video b"):
        find_video(timelines / "b.json")
    (videos / "b.webm").write_text("")
    assert find_video(*find_timelines(tmp_path)) == videos / "b.webm"
