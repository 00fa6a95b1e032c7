"""Measures of agreement, against independent ways to compute them."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from mmaction.evaluation.functional import mean_average_precision

from lcr_mmaction.streaming.metrics import (
    EventScores,
    average_precision,
    frame_map,
    gesture_at,
    leads_at,
    levenshtein,
    match,
    match_events,
)
from lcr_mmaction.streaming.predictions import Detection
from lcr_mmaction.streaming.timeline import TrueGesture

TRUTH = [
    TrueGesture("Left", 1.0, 3.0, 2.5),
    TrueGesture("Right", 5.0, 7.0, 6.5),
    TrueGesture("Left", 8.0, 10.0, 9.5),
]


def defined_levenshtein(a: tuple, b: tuple) -> int:
    """The definition by recursion."""

    @functools.cache
    def distance(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        return min(
            distance(i - 1, j) + 1,
            distance(i, j - 1) + 1,
            distance(i - 1, j - 1) + (a[i - 1] != b[j - 1]),
        )

    return distance(len(a), len(b))


def test_levenshtein_equals_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = (tuple(rng.integers(0, 3, rng.integers(0, 8))) for _ in range(2))
        assert levenshtein(a, b) == defined_levenshtein(a, b)
    assert levenshtein("kitten", "sitting") == 3
    assert levenshtein("", "abc") == levenshtein("abc", "") == 3


def most_hits(events, gestures, tolerance) -> int:
    """Largest one-to-one matching, by trying all of them."""
    fits = [
        [
            e.label == g.label and g.start <= e.detected <= g.end + tolerance
            for g in [*gestures, *[TrueGesture("", 0, 0, 0)] * len(events)]
        ]
        for e in events
    ]
    places = range(len(gestures) + len(events))
    return max(
        sum(fits[i][place] for i, place in enumerate(chosen))
        for chosen in itertools.permutations(places, len(events))
    )


def test_matching_in_order_of_time_finds_as_many_hits_as_there_can_be():
    rng = np.random.default_rng(1)
    for _ in range(60):
        starts = np.sort(rng.uniform(0, 8, 3))
        ends = np.append(starts[1:], 9)  # gestures of a video do not overlap
        gestures = [
            TrueGesture(str(rng.choice(["a", "b"])), s, rng.uniform(s, e), s)
            for s, e in zip(starts, ends, strict=True)
        ]
        events = [
            Detection(str(rng.choice(["a", "b"])), t)
            for t in np.sort(rng.uniform(0, 10, 3))
        ]
        hits = match_events(events, gestures, 10, 1.5).hits
        assert hits == most_hits(events, gestures, 1.5)


def test_counts_hits_misses_and_false_events():
    events = [
        Detection("Left", 2.0),
        Detection("Left", 2.8),  # a second time: false
        Detection("Left", 5.5),  # wrong class
        Detection("Left", 10.4),  # late, within tolerance
        Detection("Right", 11.0),  # nothing there
    ]
    scores = match_events(events, TRUTH, seconds=30.0, tolerance=0.5)
    assert (scores.hits, scores.misses, scores.false_events) == (2, 1, 3)
    assert scores.precision == pytest.approx(2 / 5)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(4 / 8)
    assert scores.delays == pytest.approx((1.0, 2.4))
    assert scores.leads == pytest.approx((0.5, -0.9))
    assert scores.progress == pytest.approx((0.5, 1.2))
    assert match(events, TRUTH) == [TRUTH[0], None, None, TRUTH[2], None]


def test_each_of_a_repeated_pair_is_a_hit_once():
    pair = [TrueGesture("Left", 0, 2, 2), TrueGesture("Left", 2, 4, 4)]
    # The first was found late: after its end, within the tolerance.
    late = [Detection("Left", 2.2), Detection("Left", 3.5)]
    assert match(late, pair, 0.5) == pair
    assert match(late, pair, 0.0) == [pair[1], None]


def test_too_late_and_too_early_are_false():
    events = [Detection("Left", 0.9), Detection("Left", 3.6)]
    scores = match_events(events, TRUTH[:1], seconds=10.0, tolerance=0.5)
    assert (scores.hits, scores.misses, scores.false_events) == (0, 1, 2)
    assert scores.f1 == 0


def test_scores_add_up():
    total = EventScores(1, 2, 3, 60, (1.0,), (0.5,)) + EventScores(3, 0, 1, 30, (2.0,))
    assert total == EventScores(4, 2, 4, 90, (1.0, 2.0), (0.5,))


def test_frame_map_equals_mmaction2s():
    rng = np.random.default_rng(2)
    labels = ["a", "b", "No gesture"]
    scores = rng.random((50, 3))
    truth = [labels[i] if i < 2 else None for i in rng.integers(0, 3, 50)]
    one_hot = np.array([[name == label for label in labels[:2]] for name in truth])
    expected = mean_average_precision(list(scores[:, :2]), list(one_hot.astype(int)))
    assert frame_map(scores, truth, labels) == pytest.approx(expected)
    # A gesture that the model cannot name has no precision at all.
    assert frame_map(scores, truth, ["a", "c", "No gesture"]) < expected
    assert np.isnan(frame_map(scores, [None] * 50, labels))


def test_equal_scores_are_taken_together():
    positive = np.array([True, False, False, False])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        assert average_precision(np.full(4, 0.5), positive[order]) == 0.25


def test_gestures_end_before_their_end():
    times = np.array([0.9, 1.0, 2.9, 3.0, 5.0])
    assert gesture_at(times, TRUTH) == [None, "Left", "Left", None, "Right"]


def test_a_gesture_leads_from_some_share_of_its_span():
    times = np.arange(0, 4, 0.5)
    labels, background = ["Left", "Right", "No gesture"], ["No gesture"]
    scores = np.zeros((8, 3))
    scores[:, 2] = 0.9  # most frames look like nothing: that does not compete
    scores[:, 1] = 0.1
    scores[4:, 0] = 0.2  # from 2 s on, half way through the first gesture
    right = leads_at((0.25, 0.5, 1.0), TRUTH[:1], times, scores, labels, background)
    assert right.tolist() == [[False, True, True]]
    assert not leads_at((0.5,), TRUTH[:1], times[5:], scores[5:], labels, []).any()
