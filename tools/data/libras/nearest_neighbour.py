"""Classify Libras paths by the nearest training path: what the split is worth."""

from __future__ import annotations

import argparse

import numpy as np

from lcr_mmaction.synthetic.command_line import one_line_errors
from lcr_mmaction.synthetic.libras import read_paths, split_paths


def nearest_neighbour(paths: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Accuracy, 0 to 1, of the nearest training path by Euclidean distance.

    Args:
        paths: `[N, 45, 2]`.
        labels: `[N]`.
        seed: Of the split.
    """
    halves = split_paths(paths, labels, seed)
    flat = paths.reshape(len(paths), -1)
    known, asked = flat[halves["train"]], flat[halves["validation"]]
    nearest = ((asked[:, None] - known[None]) ** 2).sum(-1).argmin(1)
    guesses = labels[halves["train"]][nearest]
    return float((guesses == labels[halves["validation"]]).mean())


def main() -> None:
    """Print the accuracy of every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="as for render_libras.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    with one_line_errors():
        paths, labels = read_paths(args.source)
    for seed in args.seeds:
        accuracy = nearest_neighbour(paths, labels, seed)
        print(f"split {seed}: nearest neighbour {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
