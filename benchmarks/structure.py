"""How near LCR's clip path comes to its arithmetic, and where its time goes.

    OMP_NUM_THREADS=1 python benchmarks/structure.py   # a CPU, about 5 minutes
    python benchmarks/structure.py --device cuda

1. Matrix speed: the matrix products that the clip forward executes are recorded, then
   run alone on the same tensors, in turn with the forward pass itself; what the other
   operators read and write is counted, and timed at the rate of a copy.
2. Backward: time of forward and backward over that of forward.
3. Clips beside the plain loop: one frame after the other through ``LCRBackbone.step``.
4. Activation checkpointing: what it costs in time and saves in memory.
5. Where the time goes: profile by groups of operators.

Everything is the backbone on random clips; ratios are medians over calls in turn.
Writes structure.md.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Iterator

import torch
from shared.measuring import (
    DTYPES,
    PeakMemory,
    available_mib,
    begin,
    in_own_process,
    make_parser,
    markdown,
    precision,
    random_clips,
    take_turns,
)
from shared.operators import (
    KINDS,
    bytes_of_the_rest,
    record,
    replay,
    where_time_goes,
)
from torch import Tensor

from lcr_mmaction.models import LCRBackbone

Reader = Callable[[LCRBackbone, Tensor], Tensor]


def read_clip(backbone: LCRBackbone, clips: Tensor) -> Tensor:
    """Features of clips, all frames at once."""
    return backbone(clips)


def read_frames(backbone: LCRBackbone, clips: Tensor) -> Tensor:
    """Features of clips, one frame after the other."""
    state = backbone.init_state(clips.shape[0], tuple(clips.shape[-2:]))
    features = []
    for frame in clips.unbind(2):
        feature, state = backbone.step(frame, state)
        features.append(feature)
    return torch.stack(features, dim=1)


def forward(read: Reader, backbone: LCRBackbone, clips: Tensor, dtype: str) -> None:
    """Features without gradients, as in testing."""
    backbone.eval()
    with torch.no_grad(), precision(clips.device.type, dtype):
        read(backbone, clips)


def both(read: Reader, backbone: LCRBackbone, clips: Tensor, dtype: str) -> None:
    """Forward and backward, as in training."""
    backbone.train()
    with precision(clips.device.type, dtype):
        features = read(backbone, clips)
    features.float().sum().backward()
    backbone.zero_grad(set_to_none=True)


PASSES = {"forward": forward, "forward + backward": both}


def build(args: argparse.Namespace, **options) -> LCRBackbone:
    """The backbone with random weights."""
    return LCRBackbone(args.arch, img_size=args.size, **options).to(args.device)


def make_clips(args: argparse.Namespace, batch: int) -> Tensor:
    """Random clips with edges."""
    return random_clips(batch, 4, args.frames, args.size).to(args.device)


class Copy:
    """Copies tokens of a clip to others, more than caches next to a core hold."""

    def __init__(self, args: argparse.Namespace) -> None:
        tokens = args.frames * (args.size // 16) ** 2
        width = LCRBackbone.arch_zoo[args.arch]["embed_dims"]
        self.all = [torch.zeros(tokens, width, device=args.device) for _ in range(16)]
        self.bytes = 2 * 15 * self.all[0].numel() * self.all[0].element_size()

    def __call__(self) -> None:
        """Copy each to the next."""
        for x, y in itertools.pairwise(self.all):
            y.copy_(x)


def matrix_speed(args: argparse.Namespace) -> str:
    """Forward and backward beside the matrix products of forward alone."""
    header = ["precision", "forward, ms", *(f"{kind} alone, ms" for kind in KINDS)]
    header += ["the rest, ms", "its memory at a copy's rate, ms"]
    header += ["linear + convolution / forward", "with bi_wkv / forward"]
    header += ["forward + backward / forward"]
    backbone, clips = build(args), make_clips(args, 1)
    copy = Copy(args)
    rows = []
    for dtype in args.dtypes:
        given = (read_clip, backbone, clips, dtype)
        products = record(functools.partial(forward, *given))
        kinds = {
            kind: [product for product in products if product.kind == kind]
            for kind in KINDS
        }
        calls = {name: functools.partial(run, *given) for name, run in PASSES.items()}
        calls |= {kind: functools.partial(replay, kinds[kind]) for kind in KINDS}
        times = take_turns(calls | {"copy": copy}, args.device, args.repeats)
        whole = times["forward"]
        rest = whole.median - sum(times[kind].median for kind in KINDS)
        moved = bytes_of_the_rest(functools.partial(forward, *given))
        share = {kind: times[kind].over(whole) for kind in KINDS}
        matrices = share["linear"] + share["convolution"]
        rows.append(
            [dtype, 1e3 * whole.median]
            + [1e3 * times[kind].median for kind in KINDS]
            + [1e3 * rest, 1e3 * moved / copy.bytes * times["copy"].median]
            + [f"{100 * matrices:.0f} %", f"{100 * (matrices + share['bi_wkv']):.0f} %"]
            + [times["forward + backward"].over(whole)]
        )
    return markdown(header, rows)


def peak(
    run: Callable, read: Reader, args: argparse.Namespace, batch: int, with_cp: bool
) -> float:
    """Peak MiB of a pass in float32, beside the weights."""
    backbone, clips = build(args, with_cp=with_cp), make_clips(args, batch)
    memory = PeakMemory(args.device)
    run(read, backbone, clips, "fp32")
    return memory.mib()


def beside_loop(args: argparse.Namespace) -> str:
    """The clip path beside the plain loop."""
    backbone = build(args)
    rows = []
    for name, run in PASSES.items():
        one = in_own_process(args.device, peak, run, read_frames, args, 1, False)
        for batch in args.batches:
            needed, room = one * batch, 0.8 * available_mib(args.device)
            if needed > room:
                reason = f"left out: needs about {needed:.0f} MiB, {room:.0f} are free"
                rows.append((name, batch, reason, "", ""))
                continue
            clips = make_clips(args, batch)
            readers = {"clip": read_clip, "loop": read_frames}
            times = take_turns(
                {
                    key: functools.partial(run, read, backbone, clips, "fp32")
                    for key, read in readers.items()
                },
                args.device,
                args.repeats,
                args.limit,
            )
            seconds = (times[key].median for key in readers)
            rows.append((name, batch, *seconds, times["loop"].over(times["clip"])))
    return markdown(["", "batch", "clip, s", "plain loop, s", "loop / clip"], rows)


def checkpointing(args: argparse.Namespace) -> str:
    """Time and memory of forward and backward with and without recomputation."""
    clips = make_clips(args, 1)
    times = take_turns(
        {
            on: functools.partial(
                both, read_clip, build(args, with_cp=on), clips, "fp32"
            )
            for on in (False, True)
        },
        args.device,
        args.repeats,
    )
    rows = []
    for on, found in times.items():
        mib = in_own_process(args.device, peak, both, read_clip, args, 1, on)
        rows.append((on, found.median, found.over(times[False]), mib))
    return markdown(["with_cp", "s", "times as long", "peak, MiB"], rows)


def profiles(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Tables of operator groups and of the first operators."""
    backbone, clips = build(args), make_clips(args, 1)
    for name, run in PASSES.items():
        for dtype in args.dtypes:
            call = functools.partial(run, read_clip, backbone, clips, dtype)
            groups, operators = where_time_goes(call, args.device, args.top)
            title = f"Where the time goes, {name}, {dtype}"
            yield title, markdown(["group", "%", "calls"], groups)
            yield f"{title}: operators", markdown(["operator", "%", "calls"], operators)


def sections(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Titles and tables."""
    yield "Matrix speed, batch 1", matrix_speed(args)
    yield "Clips beside the plain loop, fp32", beside_loop(args)
    yield "Activation checkpointing, batch 1, fp32", checkpointing(args)
    yield from profiles(args)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("--arch", choices=LCRBackbone.arch_zoo, default="tiny")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=["fp32", "bf16"])
    parser.add_argument("--limit", type=float, default=60, help="seconds for a loop")
    parser.add_argument("--top", type=int, default=12, help="operators listed")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, print Markdown and write it to a file."""
    args = parse_args(argv)
    begin(args)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "structure.md").open("w", encoding="utf-8") as file:
        for title, text in sections(args):
            part = f"## {title}\n\n{text}\n"
            print(part, flush=True)
            file.write(part + "\n")


if __name__ == "__main__":
    main()
