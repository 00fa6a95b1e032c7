"""Time models in every engine, from a camera's frame to scores and events.

    python benchmarks/engines.py                     # two cores, about 5 minutes
    python benchmarks/engines.py --models lcr_jester --threads 2
    python benchmarks/engines.py --models MobileNetV2 X3D-M

Beside the model that ships and ``lcr_jester`` (random weights, one state) stand two of
MMAction2's, with random weights, as steps of the same engines: MobileNetV2, which knows
one frame alone, and X3D-M, which reads its 16 frames anew with every new one. Every row
runs in a process of its own; PyTorch runs the model, the other engines an export of it.
Writes engines.csv, engines.md and engines.png; rows of other models and threads that an
earlier call has written there stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import matplotlib

from lcr_runtime import StreamRecognizer
from lcr_runtime.commands.bench import Timing, measure

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

if TYPE_CHECKING:
    from torch import nn

ROOT = Path(__file__).resolve().parents[1]
SHIPS, JESTER = "lcr_jester_stream", "lcr_jester"
FRAMES = {SHIPS: 200, JESTER: 100, "MobileNetV2": 100, "X3D-M": 10}
KINDS = ("torch fp32", "torch bf16", "openvino fp32", "openvino bf16")
KINDS += ("onnxruntime fp32",)


class Row(NamedTuple):
    """A model in an engine.

    Attributes:
        model: Its name.
        engine: That runs it.
        precision: Of its products.
        threads: Of a step.
        start: Seconds from the file, or the config, to the first result.
        p50: Median ms of a frame.
        p95: 95th percentile, ms.
        memory: MiB of the whole process.
        size: MiB of the exported file.
    """

    model: str
    engine: str
    precision: str
    threads: int
    start: float
    p50: float
    p95: float
    memory: float
    size: float

    @property
    def kind(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=FRAMES, default=list(FRAMES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, help=f"default: {FRAMES}")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/benchmarks"))
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def load(name: str, precision: str = "fp32") -> StreamRecognizer:
    """A model in PyTorch."""
    if name in (SHIPS, JESTER):
        from lcr_mmaction.deployment import shipped_model
        from lcr_mmaction.streaming import StreamingRecognizer

        if name == SHIPS:
            return StreamingRecognizer(*shipped_model(), precision=precision)
        config = ROOT / "configs/lcr_jester.py"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no checkpoint given")
            found = StreamingRecognizer(config, precision=precision, policy="keep")
        stir(found.model)
        return found
    from shared.steps import OPTIONS, STEPS, TorchStep

    return StreamRecognizer(TorchStep(STEPS[name](), precision), OPTIONS)


def stir(model: nn.Module) -> None:
    """Set weights apart: what blocks have in common at first, engines compute once."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(noise.to(weight.dtype), alpha=0.01)


def export(name: str, path: Path) -> None:
    """Write a model's export."""
    from lcr_mmaction.deployment.export import export_step, write_step

    recognizer = load(name)
    engine, options = recognizer.engine, recognizer.options
    steps = engine.preprocess.steps
    if name in (SHIPS, JESTER):
        size = engine.preprocess.find_size()
        export_step(recognizer.model, options, steps, size, path)
    else:
        write_step(engine.graph, options, steps, engine.picture_shape, path)


def rows_of(command: list[str], threads: int) -> list[Timing]:
    """Run a command that prints timings as JSON."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    lines = [x for x in done.stdout.splitlines() if x.startswith("{")]
    return [Timing(**json.loads(line)) for line in lines]


def measure_model(name: str, path: Path, args: argparse.Namespace) -> list[Row]:
    """Time a model in every engine."""
    rows = []
    for threads in args.threads:
        given = [
            "--threads",
            str(threads),
            "--frames",
            str(args.frames or FRAMES[name]),
        ]
        eager = [sys.executable, __file__, *given, "--alone", name]
        bench = [sys.executable, "-m", "lcr_runtime", "bench", *given, "--json"]
        commands = [[*eager, precision, str(threads)] for precision in ("fp32", "bf16")]
        for command in [*commands, [*bench, "--model", str(path)]]:
            for timing in rows_of(command, threads):
                rows.append(Row(name, *timing, path.stat().st_size / 2**20))
                print(*rows[-1], flush=True)
    return rows


def measure_alone(args: argparse.Namespace) -> Timing:
    """Time PyTorch in this process, as ``lcr bench`` times the others."""
    import torch

    name, precision, threads = args.alone
    torch.set_num_threads(int(threads))
    given = "torch", precision, int(threads), args.frames
    return measure(lambda: load(name, precision), *given)


def read_rows(path: Path) -> list[Row]:
    """Rows that were written before."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(*line[:3], int(line[3]), *map(float, line[4:]))
            for line in list(csv.reader(file))[1:]
        ]


def table(rows: list[Row]) -> str:
    """Markdown: a line for each model and engine, columns for threads."""
    from shared.measuring import markdown

    threads = sorted({row.threads for row in rows})
    named = [f"{n} thread{'s'[: n > 1]}" for n in threads]
    header = ["model", "engine", *(f"{x}, {n}" for n in named for x in ("p50", "p95"))]
    header += ["start", "memory", "file"]
    lines = []
    for model in FRAMES:
        for kind in KINDS:
            own = {x.threads: x for x in rows if (x.model, x.kind) == (model, kind)}
            if not own:
                continue
            times = [(own[n].p50, own[n].p95) if n in own else () for n in threads]
            last = own[max(own)]
            file = "" if last.engine == "torch" else f"{last.size:.1f} MiB"
            cells = [f"{x:.1f} ms" for pair in times for x in pair]
            cells += [f"{last.start:.1f} s", f"{last.memory:.0f} MiB", file]
            lines.append([model, kind, *cells])
    return markdown(header, lines)


def plot(rows: list[Row]) -> Figure:
    """Bars of the median times, a panel for each model, engines one under another."""
    models = [name for name in FRAMES if any(row.model == name for row in rows)]
    threads = sorted({row.threads for row in rows})
    figure, grid = plt.subplots(
        -(-len(models) // 2), 2, figsize=(10, 6), squeeze=False, layout="constrained"
    )
    height = 0.8 / len(threads)
    for axes in grid.flat[len(models) :]:
        axes.set_axis_off()
    for axes, model in zip(grid.flat, models, strict=False):
        for i, count in enumerate(threads):
            own = {x.kind: x for x in rows if (x.model, x.threads) == (model, count)}
            places = [k + i * height for k, kind in enumerate(KINDS) if kind in own]
            times = [own[kind].p50 for kind in KINDS if kind in own]
            name = f"{count} thread{'s'[: count > 1]}"
            bars = axes.barh(places, times, 0.95 * height, color=f"C{i}", label=name)
            axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        middle = height * (len(threads) - 1) / 2
        axes.set_yticks([k + middle for k in range(len(KINDS))], KINDS, fontsize=8)
        axes.invert_yaxis()
        axes.set_xmargin(0.15)
        axes.set(title=model, xlabel="ms from camera frame to events, median")
        axes.title.set_fontsize(10)
        axes.xaxis.label.set_fontsize(8)
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside upper center", ncols=2)
    return figure


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    if args.alone:
        print(json.dumps(measure_alone(args)._asdict()))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "engines.csv"
    anew = {(name, count) for name in args.models for count in args.threads}
    rows = [x for x in read_rows(file) if (x.model, x.threads) not in anew]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.onnx" for name in args.models}
        for name, path in paths.items():
            export(name, path)
        for name, path in paths.items():
            rows += measure_model(name, path, args)
    write(rows, args.out)


def write(rows: list[Row], out: Path) -> None:
    """Write all files of some rows."""
    from shared.measuring import write_csv

    write_csv(out / "engines.csv", Row._fields, rows)
    (out / "engines.md").write_text(table(rows) + "\n", encoding="utf-8")
    print(table(rows))
    plot(rows).savefig(out / "engines.png", dpi=110)


if __name__ == "__main__":
    main()
