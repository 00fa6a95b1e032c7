"""Draw the confusion matrix of dumped test results, legible with many classes.

MMAction2's ``confusion_matrix.py`` draws on a picture of fixed size, where the names
of 27 classes overlap and are cut off.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from mmengine.fileio import load  # noqa: E402

from lcr_mmaction.command_line import (  # noqa: E402
    add_label_file,
    input_file,
    output_file,
)
from lcr_runtime.text import read_label_map  # noqa: E402

CELL_INCHES = 0.3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=input_file, help="what `test.py --dump` wrote")
    parser.add_argument("out", type=output_file(), help="picture to write")
    add_label_file(parser)
    return parser.parse_args()


def count(results: list[dict]) -> np.ndarray:
    """Count clips by true class (rows) and predicted class (columns)."""
    num_classes = len(results[0]["pred_score"])
    matrix = np.zeros((num_classes, num_classes), int)
    for result in results:
        matrix[int(result["gt_label"]), int(result["pred_label"])] += 1
    return matrix


def plot(matrix: np.ndarray, names: list[str], out: Path) -> None:
    """Draw counts, each row coloured by its share of the true class."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = CELL_INCHES * len(names) + 3
    figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(matrix):
        colour = "white" if share[row, column] > 0.5 else "black"
        text = str(matrix[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, size=8)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{np.trace(matrix)} of {matrix.sum()} clips right")
    figure.savefig(out, dpi=100)


def main() -> None:
    """Draw the results on the command line."""
    args = parse_args()
    matrix = count(load(args.results))
    names = [str(i) for i in range(len(matrix))]
    if args.label_file:
        names = read_label_map(args.label_file)
    if len(names) != len(matrix):
        raise SystemExit(
            f"{args.label_file} names {len(names)} classes, the results have "
            f"{len(matrix)}: give the label file of the model"
        )
    plot(matrix, names, args.out)
    print(f"The confusion matrix is saved at {args.out}.")


if __name__ == "__main__":
    main()
