"""Draw the loss and accuracy curves of a training run into a picture.

MMAction2's ``analyze_logs.py plot_curve`` expects logs of an older format; this reads
what MMEngine's runner writes today.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

from lcr_mmaction.command_line import output_file  # noqa: E402

VALIDATION_PREFIX = "acc/"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work_dir", type=Path, help="work directory of the run")
    parser.add_argument(
        "--out",
        type=output_file(),
        help="picture to write; default: WORK_DIR/curves.png",
    )
    return parser.parse_args()


def read_records(work_dir: Path) -> list[dict]:
    """Read the records of a run in the order in which they were written.

    A resumed run has one log per start, in folders named by their time.

    Raises:
        FileNotFoundError: The work directory holds no log with a record.
    """
    logs = sorted(work_dir.glob("*/vis_data/scalars.json"))
    records = [
        json.loads(line) for log in logs for line in log.read_text().splitlines()
    ]
    if not records:
        raise FileNotFoundError(
            f"{work_dir} holds no */vis_data/scalars.json with a record; expected the "
            "work directory of a training run whose visualizer has the "
            "LocalVisBackend."
        )
    return records


def curve(records: list[dict], key: str) -> tuple[list[int], list[float]]:
    """Return steps and values of one scalar; a repeated step counts as last written."""
    values = {record["step"]: record[key] for record in records if key in record}
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def plot(records: list[dict], out: Path) -> None:
    """Draw training loss on the left, validation accuracy on the right."""
    keys = {key: None for record in records for key in record}
    losses = [key for key in keys if key == "loss" or key.startswith("loss_")]
    if len(losses) == 2:  # the only part of the sum is the sum
        losses = ["loss"]
    accuracies = [key for key in keys if key.startswith(VALIDATION_PREFIX)]

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for key in losses:
        left.plot(*curve(records, key), label=key)
    left.set(title="Training", xlabel="iteration", ylabel="loss")
    for key in accuracies:
        right.plot(*curve(records, key), marker="o", markersize=3, label=key)
    by_epoch = any("epoch" in record for record in records)
    right.set(
        title="Validation",
        xlabel="epoch" if by_epoch else "iteration",
        ylabel="accuracy",
        ylim=(0, 1.02),
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.has_data():
            axes.legend()
    figure.savefig(out, dpi=120)


def main() -> None:
    """Draw the curves of the run on the command line."""
    args = parse_args()
    out = args.out or args.work_dir / "curves.png"
    plot(read_records(args.work_dir), out)
    print(f"Curves are saved at {out}.")


if __name__ == "__main__":
    main()
