"""All figures of a set of continuous videos, as the field reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lcr_runtime.events import BACKGROUND

from .metrics import (
    EventScores,
    frame_map,
    gesture_at,
    leads_at,
    levenshtein,
    match_events,
)
from .predictions import Prediction
from .timeline import Timeline

TOLERANCES = (0.0, 0.25, 0.5, 1.0, 2.0)
FRACTIONS = tuple(round(0.1 * i, 1) for i in range(1, 11))
PERCENTILES = (10, 25, 50, 75, 90)


def score(
    timelines: Sequence[Timeline],
    predictions: Mapping[str, Prediction],
    tolerance: float = 0.5,
    background: Sequence[str] = BACKGROUND,
) -> dict[str, Any]:
    """Score predictions against timelines.

    *Levenshtein accuracy* is ``1 - Lev(recognised, true) / |true|`` over the sequence
    of classes of a video (Köpüklü et al., arXiv:1901.10323), over all videos weighted
    by ``|true|``: a repeated gesture counts, timing does not, and it can be negative.

    Args:
        timelines: The truth, one a video.
        predictions: By the names of the videos.
        tolerance: Seconds after a gesture's end in which it may still be detected.
        background: Names of classes that are no gestures.

    Returns:
        Plain values, ready for JSON; what there is nothing to measure on is None.

    Raises:
        ValueError: Timelines and predictions are not of the same videos.
    """
    names = [timeline.name for timeline in timelines]
    if set(names) != set(predictions):
        missing, unknown = set(names) - set(predictions), set(predictions) - set(names)
        raise ValueError(
            "predictions and timelines are of different videos: predictions lack "
            f"{sorted(missing) or 'none'} (no events is an empty list), timelines lack "
            f"{sorted(unknown) or 'none'}"
        )
    pairs = [(timeline, predictions[timeline.name]) for timeline in timelines]
    videos = [_score_video(*pair, tolerance) for pair in pairs]
    total = _total(pairs, tolerance)
    quiet = [video for video in videos if not video["gestures"]]
    frames = [pair for pair in pairs if pair[1].scores is not None]
    return {
        "videos": len(pairs),
        "gestures": total.hits + total.misses,
        "hours": total.seconds / 3600,
        "tolerance_s": tolerance,
        **_shares(total),
        "levenshtein_accuracy": _levenshtein_accuracy(videos),
        "frame_map": _frame_map(frames),
        "false_events_per_hour": 3600 * total.false_events / total.seconds,
        "background": {
            "hours": sum(video["seconds"] for video in quiet) / 3600,
            "false_events_per_hour": _rate(quiet),
        },
        "delay_s": _percentiles(total.delays),
        "lead_s": _percentiles(total.leads),
        "tolerances": [
            {"tolerance_s": seconds, **_shares(_total(pairs, seconds))}
            for seconds in TOLERANCES
        ],
        "early_recognition": _early(total, frames, background),
        "per_video": videos,
    }


def _total(
    pairs: Sequence[tuple[Timeline, Prediction]], tolerance: float
) -> EventScores:
    parts = [
        match_events(said.events, true.gestures, true.seconds, tolerance)
        for true, said in pairs
    ]
    return sum(parts, EventScores())


def _score_video(true: Timeline, said: Prediction, tolerance: float) -> dict[str, Any]:
    counts = match_events(said.events, true.gestures, true.seconds, tolerance)
    distance = levenshtein(
        [event.label for event in said.events],
        [gesture.label for gesture in true.gestures],
    )
    number = len(true.gestures)
    return {
        "name": true.name,
        "seconds": true.seconds,
        "gestures": number,
        "levenshtein_distance": distance,
        "levenshtein_accuracy": 1 - distance / number if number else None,
        "hits": counts.hits,
        "misses": counts.misses,
        "false_events": counts.false_events,
    }


def _levenshtein_accuracy(videos: Sequence[dict]) -> float | None:
    """Mean weighted by the number of gestures; videos without add their errors."""
    gestures = sum(video["gestures"] for video in videos)
    distance = sum(video["levenshtein_distance"] for video in videos)
    return 1 - distance / gestures if gestures else None


def _rate(videos: Sequence[dict]) -> float | None:
    seconds = sum(video["seconds"] for video in videos)
    events = sum(video["false_events"] for video in videos)
    return 3600 * events / seconds if seconds else None


def _shares(counts: EventScores) -> dict[str, float | None]:
    if not counts.hits + counts.misses:  # no gesture to find
        return dict.fromkeys(("precision", "recall", "f1"))
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.percentile(values, PERCENTILES)
    return {f"p{p}": float(x) for p, x in zip(PERCENTILES, found, strict=True)}


def _frame_map(pairs: Sequence[tuple[Timeline, Prediction]]) -> float | None:
    if not pairs:
        return None
    truth = [
        name for true, said in pairs for name in gesture_at(said.times, true.gestures)
    ]
    value = frame_map(
        np.concatenate([said.scores for _, said in pairs]), truth, pairs[0][1].labels
    )
    return None if np.isnan(value) else value


def _early(
    total: EventScores,
    pairs: Sequence[tuple[Timeline, Prediction]],
    background: Sequence[str],
) -> list[dict[str, float | None]]:
    """Shares of gestures known when a share of their span is over."""
    gestures = max(total.hits + total.misses, 1)
    right = [
        leads_at(
            FRACTIONS,
            true.gestures,
            said.times,
            said.scores,
            said.labels,
            background,
        )
        for true, said in pairs
        if said.scores is not None
    ]
    rows = np.concatenate(right) if right else np.zeros((0, len(FRACTIONS)))
    leading = rows.mean(axis=0) if len(rows) else [None] * len(FRACTIONS)
    progress = np.array(total.progress)
    return [
        {
            "fraction": fraction,
            "detected": float((progress <= fraction).sum() / gestures),
            "leading": None if share is None else float(share),
        }
        for fraction, share in zip(FRACTIONS, leading, strict=True)
    ]
