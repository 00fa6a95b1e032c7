"""Pictures of a study: bars with spread, learning curves, lines over an axis."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from .results import Results, Row  # noqa: E402

DPI = 110


def spread(values: list[float]) -> float:
    """Standard deviation, 0 of a single value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def draw_bars(results: Results, path: Path) -> Path:
    """Top-1 of every row: a bar for the mean, a whisker, a dot per seed."""
    rows = results.rows
    figure, axes = plt.subplots(figsize=(7, 1 + 0.32 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        values = list(row.top1().values())
        colour = "C0" if row in results.references.values() else "C7"
        axes.barh(
            place,
            statistics.fmean(values),
            xerr=spread(values),
            color=colour,
            alpha=0.6,
        )
        axes.plot(values, [place] * len(values), "k.", markersize=4)
    axes.set_yticks(range(len(rows)), [label(row) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set(
        xlabel="top-1, % (synthetic clips)", title=results.study.title, xlim=(0, 100)
    )
    return save(figure, path)


def draw_curves(results: Results, path: Path) -> Path:
    """Accuracy against clips seen and against seconds of training, mean over seeds."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.5), layout="constrained", sharey=True
    )
    # On processors shared with other work only the CPU's time compares.
    results_of = [result for row in results.rows for result in row.seeds.values()]
    on_cpu = all(result["device"].startswith("cpu") for result in results_of)
    by_cpu = on_cpu and all(row.has_cpu_time for row in results.rows)
    clock = "cpu_seconds" if by_cpu else "seconds"
    for number, row in enumerate(row for row in results.rows if row.test is None):
        style = dict(
            color=f"C{number % 10}", linestyle=("-", "--", ":")[number // 10 % 3]
        )
        curves = [[r for r in s["curve"] if "top1" in r] for s in row.seeds.values()]
        points = list(zip(*curves, strict=False))
        means = [100 * statistics.fmean(r["top1"] for r in p) for p in points]
        for axes, name in ((left, "clips"), (right, clock)):
            at = [statistics.fmean(r[name] for r in p) for p in points]
            axes.plot(at, means, marker="o", markersize=3, label=label(row), **style)
    left.set(xlabel="training clips seen", ylabel="top-1, % (synthetic clips)")
    right.set(xlabel=f"{'CPU ' if by_cpu else ''}seconds of training")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    right.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return save(figure, path)


def lines_of(rows: list[Row]) -> dict[str, list[Row]]:
    """The lines over the x axis: one a group, and one a variant with further tests.

    A group of a single variant with tests has that variant's line alone.
    """
    placed = sorted((row for row in rows if row.x is not None), key=lambda row: row.x)
    tested = {row.variant for row in placed if row.test is not None}
    groups: dict[str, list[Row]] = {}
    variants: dict[str, list[Row]] = {}
    for row in placed:
        if row.test is None:
            groups.setdefault(row.group or "top-1", []).append(row)
        if row.variant in tested:
            variants.setdefault(row.variant, []).append(row)
    several = {
        name: line
        for name, line in groups.items()
        if len(line) > 1 or line[0].variant not in tested
    }
    return several | variants


def draw_lines(results: Results, path: Path) -> Path:
    """Top-1 over the x axis; dashed where one model is tested at other places."""
    figure, axes = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
    lines = lines_of(results.rows)
    for name, rows in lines.items():
        values = [list(row.top1().values()) for row in rows]
        axes.errorbar(
            [row.x for row in rows],
            [statistics.fmean(v) for v in values],
            yerr=[spread(v) for v in values],
            marker="o",
            capsize=3,
            label=name,
            linestyle="--" if any(row.test for row in rows) else "-",
        )
    places = sorted({row.x for rows in lines.values() for row in rows})
    if 0 < 8 * places[0] < places[-1]:
        axes.set_xscale("log", base=2)
        axes.set_xticks(places, [f"{x:g}" for x in places])
    axes.set(
        xlabel=results.study.x_label,
        ylabel="top-1, % (synthetic clips)",
        title=results.study.title,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)


def label(row: Row) -> str:
    """Name of a row with its group."""
    return f"{row.group}: {row.name}" if row.group else row.name


def save(figure: plt.Figure, path: Path) -> Path:
    """Write and close a figure."""
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    return path
