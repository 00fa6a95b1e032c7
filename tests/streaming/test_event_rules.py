"""The rules that are compared with the one of the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from lcr_runtime import EventDetector

TOOLS = Path(__file__).parents[2] / "tools" / "streaming"
LABELS = ["Left", "Right", "No gesture"]


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(
        "event_rules", TOOLS / "event_rules.py"
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "event_rules", module)
    spec.loader.exec_module(module)
    return module


def starts(detector: EventDetector, scores: np.ndarray) -> list[tuple[str, float]]:
    events = []
    for i, row in enumerate(scores):
        events += detector.update(row, i / 4, 1.0)
    return [(x.label, x.detected) for x in events if x.phase == "start"]


def sure(classes: str) -> np.ndarray:
    """Scores of 1 for one class a frame."""
    return np.eye(3)[["LRN".index(x) for x in classes]]


def test_scores_of_one_count_as_frames(rules):
    scores = sure("NNLLLLNNNNNNRRNNRRRRNNN")
    events = dict(on=0.5, off=0.3)
    plain = starts(EventDetector(LABELS, min_frames=3, **events), scores)
    assert plain == [("Left", 1.0), ("Right", 4.5)]
    assert starts(rules.LeadersScores(LABELS, enough=3, **events), scores) == plain


def test_the_leaders_scores_take_longer_where_they_are_low(rules):
    scores = 0.6 * sure("LLLLLLLL")
    detector = rules.LeadersScores(LABELS, enough=1.5, on=0.5, off=0.3)
    assert starts(detector, scores) == [("Left", 0.5)]
    detector = rules.LeadersScores(LABELS, enough=2.5, on=0.5, off=0.3)
    assert starts(detector, scores) == [("Left", 1.0)]


def test_evidence_outlasts_a_gap_and_forgets_a_faint_class(rules):
    # 0.7 a frame, less 0.3 in the gap: 0.7, 1.4, 1.1, 1.8.
    detector = rules.Evidence(LABELS, base=0.3, enough=1.5, on=0.5, off=0.3)
    assert starts(detector, sure("LLNL")) == [("Left", 0.75)]
    detector = rules.Evidence(LABELS, base=0.3, enough=1.5, on=0.5, off=0.3)
    assert starts(detector, 0.25 * sure("LLLLLLLLLLLL")) == []
