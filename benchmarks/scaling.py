"""How cost grows with frames and with tokens: LCR beside joint attention.

    OMP_NUM_THREADS=1 python benchmarks/scaling.py    # a CPU, about 5 minutes
    python benchmarks/scaling.py --device cuda

Joint attention is MMAction2's TimeSformer, ``joint_space_time``, at LCR tiny's width,
depth and heads. A forward pass of one clip is timed, both models and all sizes taking
turns; memory is the peak beyond what the built model takes, in a process of its own on
a CPU. Exponents are least-squares slopes in log-log over all sizes; since attention's
quadratic part shows at long inputs only, the slope of the last step stands beside it.
Writes scaling.csv, scaling.md and scaling.png.
"""

from __future__ import annotations

import argparse
import functools
from typing import NamedTuple

import matplotlib
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from shared.contestants import TrainingStep, build_lcr, forward, make_inputs
from shared.measuring import (
    PeakMemory,
    begin,
    exponent,
    in_own_process,
    make_parser,
    markdown,
    take_turns,
    write_csv,
)
from torch import nn

import lcr_mmaction  # noqa: F401  (before MMAction2)
from lcr_mmaction.models import LCRBackbone

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

PATCH = 16
COSTS = {
    "seconds": "forward, s",
    "mib": "forward, MiB",
    "training_mib": "training step, MiB",
}


class Point(NamedTuple):
    """The cost of one clip.

    Attributes:
        model: Its name.
        swept: What grows: ``'frames'`` or ``'tokens'`` (of a frame).
        frames: Of the clip.
        size: Pixels of a frame's side.
    """

    model: str
    swept: str
    frames: int
    size: int

    @property
    def along(self) -> int:
        """What is swept, as a number."""
        tokens = (self.size // PATCH) ** 2
        return self.frames if self.swept == "frames" else tokens


def joint_attention(frames: int, size: int, arch: str) -> nn.Module:
    """TimeSformer with joint attention, as wide and deep as an LCR."""
    init_default_scope("mmaction")
    shape = LCRBackbone.arch_zoo[arch]
    dim = shape["embed_dims"]
    backbone = dict(
        type="TimeSformer",
        num_frames=frames,
        img_size=size,
        patch_size=PATCH,
        embed_dims=dim,
        num_heads=shape["num_heads"],
        num_transformer_layers=shape["num_layers"],
        attention_type="joint_space_time",
    )
    head = dict(type="TimeSformerHead", num_classes=27, in_channels=dim)
    preprocessor = dict(
        type="ActionDataPreprocessor", mean=[0] * 3, std=[1] * 3, format_shape="NCTHW"
    )
    return MODELS.build(
        dict(
            type="Recognizer3D",
            backbone=backbone,
            cls_head=head,
            data_preprocessor=preprocessor,
        )
    )


def build(point: Point, arch: str) -> nn.Module:
    """Build the model of a point."""
    if point.model == "LCR":
        return build_lcr(point.size, arch=arch)
    return joint_attention(point.frames, point.size, arch)


def peaks(point: Point, arch: str, device: str) -> tuple[float, float]:
    """Peak MiB of a forward pass and, of LCR alone, of a training step."""
    model = build(point, arch).to(device)
    inputs = make_inputs(model, 1, point.frames, point.size).to(device)
    memory = PeakMemory(device)
    forward(model, inputs)
    of_forward = memory.mib()
    if point.model != "LCR":  # the scores of all layers would not fit
        return of_forward, float("nan")
    TrainingStep(model, inputs)()
    return of_forward, memory.mib()


def measure(points: list[Point], args: argparse.Namespace) -> dict[Point, dict]:
    """All costs of all points."""
    calls = {}
    for point in points:
        model = build(point, args.arch).to(args.device)
        inputs = make_inputs(model, 1, point.frames, point.size).to(args.device)
        calls[point] = functools.partial(forward, model, inputs)
    times = take_turns(calls, args.device, args.repeats, args.limit)
    calls.clear()
    found = {}
    for point in points:
        mib = in_own_process(args.device, peaks, point, args.arch, args.device)
        found[point] = dict(zip(COSTS, (times[point].median, *mib), strict=True))
    return found


def curves(found: dict[Point, dict], cost: str) -> dict[tuple[str, str], list]:
    """``(size, cost)`` pairs by model and by what is swept."""
    lines: dict[tuple[str, str], list] = {}
    for point, costs in found.items():
        if costs[cost] == costs[cost]:  # measured
            pair = point.along, costs[cost]
            lines.setdefault((point.model, point.swept), []).append(pair)
    return lines


def tables(found: dict[Point, dict]) -> str:
    """Markdown: all costs, then the exponents."""
    header = ["model", "frames", "pixels", "tokens of a clip", *COSTS.values()]
    rows = [
        (p.model, p.frames, p.size, p.frames * (p.size // PATCH) ** 2)
        + tuple("-" if cost != cost else cost for cost in costs.values())
        for p, costs in found.items()
    ]
    slopes = []
    for cost, title in COSTS.items():
        for (model, swept), line in curves(found, cost).items():
            slope, last = (
                exponent(*zip(*part, strict=True)) for part in (line, line[-2:])
            )
            slopes.append((title, model, swept, f"{slope:.2f}", f"{last:.2f}"))
    return (
        markdown(header, rows)
        + "\n\n"
        + markdown(["cost", "model", "in", "exponent", "of the last step"], slopes)
    )


def plot(found: dict[Point, dict], args: argparse.Namespace) -> None:
    """Draw time and memory of a forward pass to scaling.png."""
    costs = ("seconds", "mib")
    figure, grid = plt.subplots(2, 2, figsize=(10, 7), layout="tight")
    for line, cost in zip(grid, costs, strict=True):
        for (model, swept), pairs in curves(found, cost).items():
            axes = line[("frames", "tokens").index(swept)]
            xs, ys = zip(*pairs, strict=True)
            label = f"{model}, exponent {exponent(xs, ys):.2f}"
            axes.loglog(xs, ys, "o-", label=label)
            axes.set(xlabel=f"{swept} of a {'clip' if swept == 'frames' else 'frame'}")
            axes.set(ylabel=COSTS[cost])
            axes.grid(alpha=0.3, which="both")
            axes.legend()
    figure.savefig(args.out / "scaling.png", dpi=110)
    plt.close(figure)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.set_defaults(repeats=3)
    parser.add_argument("--arch", choices=LCRBackbone.arch_zoo, default="tiny")
    lengths, sizes = [8, 16, 32, 64, 128], [112, 160, 224, 320, 448]
    parser.add_argument("--lengths", nargs="+", type=int, default=lengths)
    parser.add_argument("--length-size", type=int, default=112, help="pixels")
    parser.add_argument("--sizes", nargs="+", type=int, default=sizes)
    parser.add_argument("--size-frames", type=int, default=8)
    parser.add_argument("--limit", type=float, default=20, help="seconds for a point")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, print Markdown and write the files."""
    args = parse_args(argv)
    begin(args)
    points = [
        point
        for model in ("LCR", "joint attention")
        for point in (
            *(Point(model, "frames", t, args.length_size) for t in args.lengths),
            *(Point(model, "tokens", args.size_frames, s) for s in args.sizes),
        )
    ]
    found = measure(points, args)
    write_csv(
        args.out / "scaling.csv",
        (*Point._fields, "device", "threads", *COSTS),
        [
            (*p, args.device, torch.get_num_threads(), *costs.values())
            for p, costs in found.items()
        ],
    )
    text = tables(found)
    print(text)
    (args.out / "scaling.md").write_text(text + "\n", encoding="utf-8")
    plot(found, args)


if __name__ == "__main__":
    main()
