"""The finished runs of a study, and what they say over the seeds."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from .plan import plan_runs
from .study import Study, load_study


@dataclass(frozen=True)
class Row:
    """One line of a table: a variant, or one further test of it.

    Attributes:
        variant: Name of the variant.
        group: Rows of one group are compared.
        x: Place on the x axis, if any.
        seeds: Result of every finished seed.
        test: Name of the further test; None for the validation itself.
    """

    variant: str
    group: str
    x: float | None
    seeds: dict[int, dict]
    test: str | None = None

    @property
    def name(self) -> str:
        """Name of variant and test."""
        return self.variant + (f", tested at {self.test}" if self.test else "")

    def top1(self) -> dict[int, float]:
        """Top-1 in percent by seed."""
        return {
            seed: 100 * (result["top1"] if self.test is None else self._of_test(result))
            for seed, result in self.seeds.items()
        }

    def _of_test(self, result: dict) -> float:
        return result["tests"][self.test]

    @property
    def has_cpu_time(self) -> bool:
        """Whether every run was timed by the processor's clock too."""
        return all("train_cpu_seconds" in result for result in self.seeds.values())

    def mean(self, name: str) -> float:
        """Mean over the seeds of one number of the results."""
        return statistics.fmean(result[name] for result in self.seeds.values())


@dataclass(frozen=True)
class Results:
    """All rows of a study of one size.

    Attributes:
        name: Name of the study.
        study: The study.
        size: Its size.
        rows: In the order of the study; those without a finished run left out.
        missing: Names and seeds of runs that are not finished.
        references: The row that a group is compared with.
        folder: Where the report goes.
    """

    name: str
    study: Study
    size: str
    rows: list[Row]
    missing: list[str]
    references: dict[str, Row]
    folder: Path

    def difference(self, row: Row) -> list[float]:
        """Top-1 minus that of the reference with the same seed, in points."""
        if row.group not in self.references:
            return []
        own, base = row.top1(), self.references[row.group].top1()
        return [own[seed] - base[seed] for seed in own if seed in base]


def collect(name: str, size: str, seeds: int, data: Path, out: Path) -> Results:
    """Read the results of a study.

    Raises:
        ValueError: None of its runs is finished.
    """
    study = load_study(name)
    by_variant: dict[str, dict[int, dict]] = {}
    missing = []
    for run in plan_runs(study, size, seeds, data, out):
        if run.result_file.exists():
            result = json.loads(run.result_file.read_text())
            by_variant.setdefault(run.variant, {})[run.seed] = result
        else:
            missing.append(f"{run.variant}, seed {run.seed}")
    if not by_variant:
        raise ValueError(
            f"{out} holds no finished run of {name}, size {size}: train it with "
            f"run.py {name} --size {size} and the same --data and --out."
        )
    rows, references = [], {}
    for variant in study.of_size(size):
        if variant.name not in by_variant:
            continue
        finished = by_variant[variant.name]
        row = Row(variant.name, variant.group, variant.x, finished)
        rows.append(row)
        if study.reference(variant.group, size) is variant:
            references[variant.group] = row
        for test in variant.tests:
            x = float(test) if test.replace(".", "").isdigit() else None
            rows.append(Row(variant.name, variant.group, x, finished, test))
    folder = out / Path(name).stem / size
    return Results(Path(name).stem, study, size, rows, missing, references, folder)


def mean_and_spread(values: list[float], signed: bool = False) -> str:
    """`mean ± standard deviation`; the mean alone of a single value."""
    if not values:
        return ""
    sign = "+" if signed else ""
    text = f"{statistics.fmean(values):{sign}.1f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.1f}"
    return text
