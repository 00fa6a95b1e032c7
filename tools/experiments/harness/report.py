"""Write what a study found: CSV of all runs, Markdown table, pictures, page."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from .plots import draw_bars, draw_curves, draw_lines
from .results import Results, Row, collect, mean_and_spread
from .study import SIZES

BEGIN, END = "<!-- table {size} -->", "<!-- end of table {size} -->"
COLUMNS = [
    "variant",
    "seed",
    "top1",
    "top5",
    "best",
    "parameters",
    "flops",
    "memory",
    "train_seconds",
    "train_cpu_seconds",
    "wall_seconds",
    "device",
    "source",
]


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        results: What it is about.
        table: The Markdown of table and remarks.
        pictures: Files.
    """

    results: Results
    table: str
    pictures: list[Path]


def write_report(name: str, size: str, seeds: int, data: Path, out: Path) -> Report:
    """Write `runs.csv`, `table.md` and pictures into `OUT/STUDY/SIZE`.

    Raises:
        ValueError: No run is finished.
    """
    results = collect(name, size, seeds, data, out)
    folder = results.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(results, folder / "runs.csv")
    table = markdown(results)
    (folder / "table.md").write_text(table)
    pictures = [draw_bars(results, folder / "bars.png")]
    pictures.append(draw_curves(results, folder / "curves.png"))
    if any(row.x is not None for row in results.rows):
        pictures.append(draw_lines(results, folder / "lines.png"))
    print(table)
    print(f"The report is in {folder}.")
    return Report(results, table, pictures)


def write_csv(results: Results, path: Path) -> None:
    """One line per run and further test."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in results.rows:
            for seed, result in row.seeds.items():
                line = result | {"variant": row.name, "seed": seed}
                if row.test is not None:
                    line |= {"top1": row.top1()[seed] / 100, "top5": "", "best": ""}
                writer.writerow(line)


def markdown(results: Results) -> str:
    """The table with what has to be said about it."""
    size = results.study.sizes[results.size]
    clips = size.clips
    lines = [
        f"Size `{results.size}`: {clips.train} training and {clips.val} validation "
        f"clips where the row says nothing else, {size.epochs} epochs; all clips are "
        "synthetic, validation is on people who are in no training clip. Top-1 after "
        "the last epoch in percent, mean ± standard deviation over the seeds; "
        "differences in points, seed by seed. One FLOP is one multiply-add; time is "
        "that of training alone.",
        "",
        "| variant | top-1 | difference | seeds | parameters | GFLOPs | time, min "
        "| CPU time, min | memory, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    group = None
    for row in results.rows:
        if row.group != group and row.group:
            lines.append(f"| **{row.group}** | | | | | | | | |")
        group = row.group
        lines.append(table_line(results, row))
    results_of = [r for row in results.rows for r in row.seeds.values()]
    lines += ["", f"Machine: {', '.join(sorted({r['device'] for r in results_of}))}."]
    sources = {result["source"] for result in results_of}
    if len(sources) > 1:
        lines.append(f"**The runs come from {len(sources)} versions of the code.**")
    if results.missing:
        lines.append(f"Not finished: {'; '.join(results.missing)}.")
    return "\n".join(lines) + "\n"


def table_line(results: Results, row: Row) -> str:
    """One row of the table."""
    is_reference = results.references.get(row.group) is row
    difference = (
        "reference"
        if is_reference
        else mean_and_spread(results.difference(row), signed=True)
    )
    cells = [row.name, mean_and_spread(list(row.top1().values())), difference]
    cells.append(str(len(row.seeds)))
    if row.test is None:
        cells += [
            f"{row.mean('parameters') / 1e6:.3f} M",
            f"{row.mean('flops') / 1e9:.3f}",
            f"{row.mean('train_seconds') / 60:.1f}",
            f"{row.mean('train_cpu_seconds') / 60:.1f}" if row.has_cpu_time else "",
            f"{row.mean('memory') / 2**20:.0f}",
        ]
    else:
        cells += [""] * 5
    return f"| {' | '.join(cells)} |"


def write_page(page: Path, report: Report) -> None:
    """Put table and pictures between the markers of a page, made if missing.

    Raises:
        ValueError: The page is there and lacks the markers.
    """
    results = report.results
    page.parent.mkdir(parents=True, exist_ok=True)
    if not page.exists():
        page.write_text(skeleton(results))
    images = page.parent / "images"
    images.mkdir(exist_ok=True)
    block = [report.table]
    for picture in report.pictures:
        name = f"{results.name}_{results.size}_{picture.name}"
        shutil.copyfile(picture, images / name)
        block.append(f"![{picture.stem} of {results.name}](images/{name})\n")
    text = page.read_text()
    begin, end = (mark.format(size=results.size) for mark in (BEGIN, END))
    if begin not in text or end not in text:
        raise ValueError(f"{page} lacks the lines {begin} and {end}: put them in.")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    page.write_text(before + begin + "\n" + "\n".join(block) + end + after)


def skeleton(results: Results) -> str:
    """A page without numbers."""
    study = results.study
    command = f"python tools/experiments/run.py {results.name} --size"
    parts = [f"# {study.title}", study.question]
    for size in SIZES:
        marks = (mark.format(size=size) for mark in (BEGIN, END))
        parts += [f"## Size `{size}`", f"`{command} {size}`", "\n".join(marks)]
    parts += ["## What it shows", "## What it does not show"]
    return "\n\n".join(parts) + "\n"
