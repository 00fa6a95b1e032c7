"""Classify Libras paths by the nearest training path: what the split is worth."""

from __future__ import annotations

import argparse

import numpy as np
from renderer.command_line import one_line_errors
from renderer.libras import LibrasSettings, read_paths, split_paths
from renderer.path_variation import vary_path


def nearest_neighbour(
    paths: np.ndarray, labels: np.ndarray, seed: int, copies: int = 1
) -> float:
    """Accuracy, 0 to 1, of the nearest training path by Euclidean distance.

    Args:
        paths: `[N, 45, 2]`.
        labels: `[N]`.
        seed: Of the split and of the variations.
        copies: How often each training path is there: as recorded, then varied as the
            renderer varies it.
    """
    halves = split_paths(paths, labels, seed)
    rng = np.random.default_rng(seed)
    rows = np.tile(halves["train"], copies)
    known = paths[rows]
    for i in range(len(halves["train"]), len(rows)):
        known[i] = vary_path(known[i], LibrasSettings.variation, rng)
    asked = paths[halves["validation"]]
    squares = ((asked[:, None] - known[None]) ** 2).sum((-1, -2))
    guesses = labels[rows][squares.argmin(1)]
    return float((guesses == labels[halves["validation"]]).mean())


def main() -> None:
    """Print the accuracy of every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="as for render_libras.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--copies",
        type=int,
        default=1,
        help="times each training path is there, varied after the first",
    )
    args = parser.parse_args()
    if args.copies < 1:
        parser.error(f"--copies {args.copies}: expected 1 or more")
    with one_line_errors():
        paths, labels = read_paths(args.source)
    for seed in args.seeds:
        accuracy = nearest_neighbour(paths, labels, seed, args.copies)
        print(f"split {seed}: nearest neighbour {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
