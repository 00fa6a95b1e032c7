r"""Draw how early models know an action: accuracy by the share of a clip seen.

Usage::

    python tools/analysis_tools/plot_early.py OUT.png \
        --model LCR seed0.json seed1.json --model SlowOnly other.json

The files are those of ``order_of_frames.py --json``, one per seed. A line is the mean
over a model's files, the band its standard deviation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from lcr_mmaction.command_line import output_file  # noqa: E402


def curve(path: Path) -> dict[float, float]:
    """Read percent right by the percent of a clip that was seen."""
    accuracies = json.loads(path.read_text(encoding="utf-8"))
    seen = {
        float(name.split()[1]): 100 * value
        for name, value in accuracies.items()
        if name.startswith("first ") and name.endswith(" %")
    }
    return seen | {100.0: 100 * accuracies["as they are"]}


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=output_file(".png"), help="picture to write")
    parser.add_argument(
        "--model",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME FILE", "FILE"),
        help="a line: its name, then the files of its seeds",
    )
    args = parser.parse_args()
    figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for (name, *files), style in zip(args.model, "ovsd^x" * 9, strict=False):
        if not files:
            parser.error(f"--model {name}: name the files of order_of_frames.py, too")
        curves = [curve(Path(file)) for file in files]
        shares = sorted(curves[0])
        values = np.array([[one[share] for share in shares] for one in curves])
        mean, spread = values.mean(0), values.std(0, ddof=len(files) > 1)
        axis.plot(shares, mean, marker=style, markersize=4, label=name)
        axis.fill_between(shares, mean - spread, mean + spread, alpha=0.2)
    axis.set(
        xlabel="% of the clip seen", ylabel="% right", ylim=(0, 100), xlim=(0, 101)
    )
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    figure.savefig(args.out, dpi=100)
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main()
