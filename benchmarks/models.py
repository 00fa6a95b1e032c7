"""LCR beside MMAction2's own models: size, work, speed and memory in one run.

    python benchmarks/models.py                      # a CPU, about 9 minutes on 2 cores
    python benchmarks/models.py --device cuda --batch 8 --limit 20

Every model reads the same clips with random weights. Forward is evaluation without
gradients, logits included; a training step is forward, loss, backward and AdamW. All
models take turns; the table gives medians in clips per second. A model's time is
limited: it makes as many calls as fit, and ``*`` marks a figure from its first call
alone. Memory is the peak beyond what was in use before the model was built, weights
included, of a process of its own on a CPU. Writes models.csv, models.md and models.png.
"""

from __future__ import annotations

import argparse
import functools
import gc
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import matplotlib
import torch
from shared.contestants import NAMES, TrainingStep, build, flops, forward, make_inputs
from shared.labels import label_points
from shared.measuring import (
    DTYPES,
    PeakMemory,
    Times,
    begin,
    in_own_process,
    make_parser,
    markdown,
    take_turns,
    write_csv,
)

import lcr_mmaction  # noqa: F401  (before MMAction2)

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import NullFormatter  # noqa: E402

MODES = ("forward", "training step")


class Row(NamedTuple):
    """All that is measured of a model at one size of the clips.

    Attributes:
        model: Its name.
        size: Pixels of a frame's side.
        parameters: Their number, of all parts.
        flops: As ``get_flops.py`` counts them.
        memory: Peak MiB in float32 of each of :data:`MODES`.
        times: Seconds of a batch, by mode and precision.
    """

    model: str
    size: int
    parameters: int
    flops: int
    memory: tuple[float, ...]
    times: dict[tuple[str, str], Times]


def calls_of(
    name: str, size: int, args: argparse.Namespace
) -> dict[tuple[str, str], Callable[[], object]]:
    """What to time of one model, by mode and precision."""
    model = build(name, args.frames, size).to(args.device)
    inputs = make_inputs(model, args.batch, args.frames, size).to(args.device)
    step = TrainingStep(model, inputs)
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for dtype in args.dtypes:
        calls["forward", dtype] = functools.partial(forward, model, inputs, dtype)
        calls["training step", dtype] = functools.partial(step, dtype)
    return calls


def peaks(name: str, size: int, frames: int, batch: int, device: str) -> list[float]:
    """Peak MiB of a forward pass and of training, in float32."""
    memory = PeakMemory(device)
    model = build(name, frames, size).to(device)
    inputs = make_inputs(model, batch, frames, size).to(device)
    forward(model, inputs)
    found = [memory.mib()]
    TrainingStep(model, inputs)()
    return [*found, memory.mib()]


def facts(name: str, size: int, args: argparse.Namespace) -> tuple:
    """Parameters, FLOPs and peak memory of one model; prints why one is missing."""
    model = build(name, args.frames, size)
    parameters = sum(x.numel() for x in model.parameters())
    work = flops(model, make_inputs(model, 1, args.frames, size))
    del model
    gc.collect()
    given = (name, size, args.frames, args.batch, args.device)
    try:
        memory = tuple(in_own_process(args.device, peaks, *given))
    except (BrokenProcessPool, torch.cuda.OutOfMemoryError) as error:
        print(
            f"{name} at {size} pixels does not fit in memory and is left out: {error}"
        )
        return ()
    return parameters, work, memory


def measure(size: int, args: argparse.Namespace) -> list[Row]:
    """Measure all models at one size."""
    known = {name: facts(name, size, args) for name in args.models}
    known = {name: found for name, found in known.items() if found}
    calls = {
        (name, *kind): call
        for name in known
        for kind, call in calls_of(name, size, args).items()
    }
    times = take_turns(calls, args.device, args.repeats, args.limit)
    return [
        Row(name, size, *found, {k[1:]: t for k, t in times.items() if k[0] == name})
        for name, found in known.items()
    ]


def table(rows: list[Row], args: argparse.Namespace) -> str:
    """Markdown of one size."""
    header = ["model", "parameters, M", "FLOPs, G"]
    header += [f"{mode}, clips/s {dtype}" for mode in MODES for dtype in args.dtypes]
    header += [f"{mode}, MiB" for mode in MODES]
    lines = []
    for row in rows:
        cells: list[object] = [row.model, row.parameters / 1e6, row.flops / 1e9]
        for mode in MODES:
            for dtype in args.dtypes:
                times = row.times[mode, dtype]
                speed = f"{args.batch / times.median:.3g}"
                cells.append(speed if times.warm else f"{speed}*")
        lines.append([*cells, *(f"{mib:.0f}" for mib in row.memory)])
    return markdown(header, lines)


def save(rows: list[Row], args: argparse.Namespace) -> None:
    """Write every figure to models.csv."""
    header = "model size frames batch device threads parameters flops mode dtype"
    header += " seconds calls warm clips_per_second fp32_peak_mib"
    setting = (args.frames, args.batch, args.device, torch.get_num_threads())
    write_csv(
        args.out / "models.csv",
        header.split(),
        [
            (row.model, row.size, *setting, row.parameters, row.flops, mode, dtype)
            + (times.median, len(times.each), times.warm, args.batch / times.median)
            + (row.memory[MODES.index(mode)],)
            for row in rows
            for (mode, dtype), times in row.times.items()
        ],
    )


def plot(rows: list[Row], args: argparse.Namespace) -> Figure:
    """Clips per second against FLOPs, in the first precision."""
    dtype, sizes = args.dtypes[0], args.sizes
    figure, grid = plt.subplots(
        len(sizes), 2, figsize=(11, 4.5 * len(sizes)), squeeze=False
    )
    for line, size in zip(grid, sizes, strict=True):
        own = [row for row in rows if row.size == size]
        for axes, mode in zip(line, MODES, strict=True):
            for row in own:
                colour = "C3" if row.model.startswith("LCR") else "C0"
                axes.loglog(*place(row, mode, args), "o", color=colour)
            axes.set(
                title=f"{mode}, {args.frames}x{size}x{size}, {dtype}",
                xlabel="FLOPs of a clip, G",
                ylabel="clips per second",
            )
            axes.margins(0.15)
            axes.grid(alpha=0.3, which="both")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_formatter(NullFormatter())
    figure.tight_layout()
    for line, size in zip(grid, sizes, strict=True):
        own = [row for row in rows if row.size == size]
        for axes, mode in zip(line, MODES, strict=True):
            label_points(axes, {row.model: place(row, mode, args) for row in own})
    return figure


def place(row: Row, mode: str, args: argparse.Namespace) -> tuple[float, float]:
    """Where a model lies in the plot of a mode."""
    return row.flops / 1e9, args.batch / row.times[mode, args.dtypes[0]].median


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 112])
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=["fp32", "bf16"])
    parser.add_argument(
        "--limit", type=float, default=4, help="seconds for a model, mode and precision"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, print Markdown and write the files."""
    args = parse_args(argv)
    begin(args)
    rows, text = [], ""
    for size in args.sizes:
        found = measure(size, args)
        rows += found
        part = f"{args.frames}x{size}x{size}, batch {args.batch}, {args.device}\n\n"
        part += table(found, args) + "\n\n"
        print(part, flush=True)
        text += part
        save(rows, args)
        (args.out / "models.md").write_text(text, encoding="utf-8")
    plot(rows, args).savefig(args.out / "models.png", dpi=110)


if __name__ == "__main__":
    main()
