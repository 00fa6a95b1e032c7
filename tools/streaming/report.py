"""The page that evaluate.py writes: tables, curves, and a picture of each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from lcr_mmaction.streaming.metrics import match  # noqa: E402
from lcr_mmaction.streaming.predictions import Prediction  # noqa: E402
from lcr_mmaction.streaming.timeline import Timeline  # noqa: E402

HIT, FALSE, TRUTH = "tab:green", "tab:red", "tab:blue"
# Of each row; the videos with the most mistakes come first.
MAX_PICTURES = 6
MAX_LINES = 12

NOTES = """\
*Levenshtein* is 1 - (insertions, deletions and replacements) / gestures over the
sequence of classes, weighted by gestures. A *hit* is a detection while a gesture of its
class goes on or at most {tolerance:g} s after, one a gesture. *Frame mAP* is the mean
average precision of the gestures' frames. *False/h* counts events that hit nothing,
*background* the same in videos without a gesture. *Delay* counts from the gesture's
start, *lead* to the end of its own movement: above zero, it was known before it was
over.
"""


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The main figures as a Markdown table."""
    head = (
        "| | fps | Levenshtein | F1 | precision | recall | frame mAP | false/h "
        "| background | delay | lead |"
    )
    lines = [head, "|---" * 11 + "|"]
    for row in rows:
        cells = [
            row["name"],
            "as given" if row.get("fps") is None else f"{row['fps']:g}",
            _number(row["levenshtein_accuracy"]),
            *(_number(row[key]) for key in ("f1", "precision", "recall", "frame_map")),
            _number(row["false_events_per_hour"], 1),
            _number(row["background"]["false_events_per_hour"], 1),
            _seconds(row["delay_s"]),
            _seconds(row["lead_s"], "+"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_report(
    folder: Path,
    title: str,
    timelines: Sequence[Timeline],
    rows: Sequence[Mapping[str, Any]],
    said: Sequence[Mapping[str, Prediction]],
) -> Path:
    """Write ``report.md`` and its pictures.

    Args:
        folder: Where to.
        title: What was evaluated.
        timelines: The truth.
        rows: What :func:`.scoring.score` found, with a ``name`` each.
        said: Predictions of each row.

    Returns:
        The page.
    """
    first = rows[0]
    parts = [
        f"# Continuous recognition: {title}",
        f"{first['videos']} videos, {first['gestures']} gestures, "
        f"{first['hours']:.2f} hours.",
        as_table(rows),
        NOTES.format(tolerance=first["tolerance_s"]),
    ]
    for row, predictions in zip(rows, said, strict=True):
        parts += _section(folder, row, timelines, predictions)
    page = folder / "report.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _section(
    folder: Path,
    row: Mapping[str, Any],
    timelines: Sequence[Timeline],
    predictions: Mapping[str, Prediction],
) -> list[str]:
    name = row["name"]
    curves = folder / f"{name}-curves.png"
    _draw_curves(row, curves)
    parts = [f"## {name}"]
    if "options" in row:
        parts.append(f"`{row['options']}`")
    parts += [f"![curves]({curves.name})", _video_table(row["per_video"])]
    mistakes = {
        video["name"]: video["misses"] + video["false_events"]
        for video in row["per_video"]
    }
    worst = sorted(timelines, key=lambda timeline: -mistakes[timeline.name])
    for timeline in worst[:MAX_PICTURES]:
        picture = folder / f"{name}-{timeline.name}.png"
        _draw_video(timeline, predictions[timeline.name], row["tolerance_s"], picture)
        parts += [f"### {timeline.name}", f"![{timeline.name}]({picture.name})"]
    return parts


def _video_table(videos: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| video | seconds | gestures | Levenshtein | hits | misses | false |",
        "|---" * 7 + "|",
    ]
    lines += [
        f"| {video['name']} | {video['seconds']:.1f} | {video['gestures']} "
        f"| {_number(video['levenshtein_accuracy'])} | {video['hits']} "
        f"| {video['misses']} | {video['false_events']} |"
        for video in videos
    ]
    return "\n".join(lines)


def _draw_curves(row: Mapping[str, Any], path: Path) -> None:
    figure, (early, delay, late) = plt.subplots(
        1, 3, figsize=(12, 3.2), layout="constrained"
    )
    points = row["early_recognition"]
    shares = [point["fraction"] for point in points]
    for key in ("detected", "leading"):
        values = [point[key] for point in points]
        if None not in values:
            early.plot(shares, values, marker="o", markersize=3, label=key)
    early.set(xlabel="share of the gesture seen", ylabel="share of gestures")
    early.set(title="early recognition", ylim=(0, 1.02))
    early.legend()
    for key in ("delay_s", "lead_s"):
        if row[key]:
            ranks = [int(name[1:]) for name in row[key]]
            delay.plot(list(row[key].values()), ranks, marker="o", label=key[:-2])
            delay.legend()
    delay.set(xlabel="seconds", ylabel="% of hits", ylim=(0, 100))
    delay.set(title="time to detection")
    tolerances = [point["tolerance_s"] for point in row["tolerances"]]
    for key in ("precision", "recall", "f1"):
        values = [point[key] for point in row["tolerances"]]
        if None not in values:
            late.plot(tolerances, values, marker="o", label=key)
            late.legend()
    late.set(xlabel="seconds allowed after the end", ylim=(0, 1.02))
    late.set(title="events by tolerance")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_video(
    timeline: Timeline, prediction: Prediction, tolerance: float, path: Path
) -> None:
    """Truth, scores and events of a video under each other, on one axis of time."""
    width = float(np.clip(timeline.seconds / 3, 10, 40))
    colours = plt.get_cmap("tab20")(np.linspace(0, 1, MAX_LINES))
    figure, (truth, scores, events) = plt.subplots(
        3,
        1,
        figsize=(width, 5),
        sharex=True,
        height_ratios=(1, 3, 1),
        layout="constrained",
    )
    for row, gesture in enumerate(timeline.gestures):
        _bar(truth, gesture.start, gesture.end, gesture.label, TRUTH, row)
    truth.set(ylabel="truth", xlim=(0, timeline.seconds))
    matched = match(prediction.events, timeline.gestures, tolerance)
    for row, (event, hit) in enumerate(zip(prediction.events, matched, strict=True)):
        start = event.detected if event.start is None else event.start
        end = event.detected if event.end is None else event.end
        colour = FALSE if hit is None else HIT
        _bar(events, start, end, event.label, colour, row)
        events.plot([event.detected] * 2, [0, 1], color="black", linewidth=1)
    events.set(ylabel="events", xlabel="seconds")
    if prediction.scores is not None:
        scores.set_prop_cycle(color=colours)
        for column in _columns(timeline, prediction):
            label = prediction.labels[column]
            scores.plot(prediction.times, prediction.scores[:, column], label=label)
        scores.legend(loc="upper left", fontsize=7, ncols=6)
    scores.set(ylabel="scores", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    scores.grid(alpha=0.3)
    for axes in (truth, events):
        axes.set(yticks=(), ylim=(0, 1.05))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _bar(
    axes: plt.Axes, start: float, end: float, label: str, colour: str, row: int
) -> None:
    """A span with its name, at a height that keeps neighbours' names apart."""
    axes.broken_barh([(start, end - start)], (0, 1), color=colour, alpha=0.5)
    height = (0.8, 0.5, 0.2)[row % 3]
    axes.text(start, height, label, fontsize=7, va="center", clip_on=True)


def _columns(timeline: Timeline, prediction: Prediction) -> list[int]:
    """Classes worth a line: those shown or recognised, the highest scores first."""
    named = {gesture.label for gesture in timeline.gestures}
    named |= {event.label for event in prediction.events}
    columns = [i for i, label in enumerate(prediction.labels) if label in named]
    peaks = prediction.scores.max(axis=0)
    return sorted(sorted(columns, key=lambda i: -peaks[i])[:MAX_LINES])


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _seconds(percentiles: Mapping[str, float] | None, sign: str = "") -> str:
    """Median, and the span between the tenth and the ninetieth percentile."""
    if percentiles is None:
        return "-"
    p10, p50, p90 = (percentiles[key] for key in ("p10", "p50", "p90"))
    return f"{p50:{sign}.2f} s ({p10:{sign}.2f} to {p90:{sign}.2f})"
