from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from harness.plan import Run, plan_runs
from harness.plots import lines_of
from harness.report import Report, write_page, write_report
from harness.results import Row
from harness.study import load_study


def finish(run: Run, top1: float, test: float = 0.25, source: str = "a") -> None:
    """Leave the result of a run that ended so."""
    seconds = dict(seconds=60.0, cpu_seconds=30.0, wall=90.0)
    records = [dict(epoch=e, clips=16 * e, top1=top1, **seconds) for e in (1, 2)]
    result = dict(
        top1=top1,
        top5=1.0,
        best=top1,
        tests={"8": test} if run.variant == "without edges" else {},
        parameters=2_000_000,
        flops=3_000_000_000,
        memory=2**30,
        train_seconds=60.0,
        train_cpu_seconds=30.0,
        wall_seconds=90.0,
        device="cpu, 1 thread(s)",
        source=source,
        curve=records,
    )
    run.folder.mkdir(parents=True)
    run.result_file.write_text(json.dumps(result))


@pytest.fixture
def runs(small_study: str, tmp_path: Path) -> dict:
    """Planned runs by variant and seed."""
    planned = plan_runs(load_study(small_study), "quick", 2, tmp_path, tmp_path)
    return {(run.variant, run.seed): run for run in planned}


def report(study: str, folder: Path) -> Report:
    return write_report(study, "quick", 2, folder, folder)


def row(table: str, name: str) -> list[str]:
    cells = [line.strip("| ").split("|") for line in table.splitlines()]
    return [c.strip() for line in cells for c in line if line[0].strip() == name]


def test_mean_spread_and_paired_difference(
    runs: dict, small_study: str, tmp_path: Path
) -> None:
    for (variant, seed), accuracy in {
        ("plain", 0): 0.5,
        ("plain", 1): 0.7,
        ("without edges", 0): 0.4,
        ("without edges", 1): 0.6,
    }.items():
        finish(runs[variant, seed], accuracy)
    table = report(small_study, tmp_path).table
    assert row(table, "plain")[1:4] == ["60.0 ± 14.1", "reference", "2"]
    assert row(table, "plain")[4:] == ["2.000 M", "3.000", "1.0", "0.5", "1024"]
    assert row(table, "without edges")[1:3] == ["50.0 ± 14.1", "-10.0 ± 0.0"]
    assert row(table, "without edges, tested at 8")[1] == "25.0 ± 0.0"
    folder = tmp_path / "small" / "quick"
    lines = list(csv.DictReader((folder / "runs.csv").open()))
    assert [line["variant"] for line in lines].count("plain") == 2
    assert {line["top1"] for line in lines} == {"0.5", "0.7", "0.4", "0.6", "0.25"}
    for picture in ("bars.png", "curves.png", "lines.png"):
        assert (folder / picture).stat().st_size > 1000


def test_tests_at_other_places_have_a_line_of_their_own() -> None:
    def place(variant: str, group: str, x: float, test: str | None = None) -> Row:
        return Row(variant, group, x, {}, test)

    lines = lines_of(
        [
            place("short", "one", 8),
            place("short", "one", 16, "16"),
            place("long", "one", 16),
            place("long", "one", 8, "8"),
            place("only", "two", 8),
            place("only", "two", 4, "4"),
            place("plain", "", 8),
            Row("elsewhere", "one", None, {}),
        ]
    )
    found = {
        name: [(row.variant, row.x) for row in line] for name, line in lines.items()
    }
    assert found == {
        "one": [("short", 8), ("long", 16)],
        "top-1": [("plain", 8)],
        "short": [("short", 8), ("short", 16)],
        "long": [("long", 8), ("long", 16)],
        "only": [("only", 4), ("only", 8)],
    }


def test_a_report_says_what_is_missing_or_mixed(
    runs: dict, small_study: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no finished run of"):
        report(small_study, tmp_path)
    finish(runs["plain", 0], 0.5)
    finish(runs["plain", 1], 0.5, source="b")
    table = report(small_study, tmp_path).table
    assert "Not finished: without edges, seed 0; without edges, seed 1." in table
    assert "2 versions of the code" in table


def test_a_page_keeps_what_was_written_by_hand(
    runs: dict, small_study: str, tmp_path: Path
) -> None:
    finish(runs["plain", 0], 0.5)
    page = tmp_path / "docs" / "small.md"
    write_page(page, report(small_study, tmp_path))
    page.write_text(page.read_text() + "\nBy hand.\n")
    finish(runs["plain", 1], 0.7)
    write_page(page, report(small_study, tmp_path))
    text = page.read_text()
    assert text.endswith("\nBy hand.\n")
    assert text.count("60.0 ± 14.1") == 1 and "50.0 |" not in text
    for line in text.splitlines():
        if line.startswith("!["):
            assert (page.parent / line.split("(")[1].rstrip(")")).is_file()
    page.write_text("# Another page\n")
    with pytest.raises(ValueError, match="lacks the lines"):
        write_page(page, report(small_study, tmp_path))
