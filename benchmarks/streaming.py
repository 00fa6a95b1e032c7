"""Measure a stream: latency of a frame, memory over time, size of the state.

Latency is end to end without display: from a raw BGR frame to scores and events
(resize, crop, edges, normalisation, model, policy, smoothing). The same run also
times what a sliding window would do, one clip forward a decision, in turn with the
step, and gives the ratio, of times and of counted operations.

    OMP_NUM_THREADS=2 python benchmarks/streaming.py CONFIG --markdown
    python benchmarks/streaming.py CONFIG --frames 20000   # memory over a long run
    python benchmarks/streaming.py CONFIG --streams 1 4 16 # one batch, or a fork each
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from mmengine import Config
from torch.utils.flop_counter import FlopCounterMode

from lcr_mmaction.models.state import split_state, state_bytes
from lcr_mmaction.streaming import POLICIES, StreamingRecognizer
from lcr_mmaction.streaming.pipeline import normalise
from lcr_runtime.engines import PRECISIONS
from lcr_runtime.overlay import Overlay
from lcr_runtime.preprocess import find_clip_len, find_test_pipeline


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="LCR config file")
    parser.add_argument("checkpoint", nargs="?", help="random weights without one")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15, help="of step and clip")
    parser.add_argument("--height", type=int, default=480, help="of the raw frames")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--size", type=int, help="resize to this side instead")
    parser.add_argument("--policy", choices=POLICIES, help="default: the config's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--compiled", action="store_true", help="compile the step")
    parser.add_argument("--markdown", action="store_true", help="print a table row")
    parser.add_argument(
        "--streams", type=int, nargs="+", help="compare ways to serve so many, only"
    )
    return parser.parse_args()


def read_config(path: str, size: int | None) -> Config:
    """Read a config, with another side of the model's square frames if given."""
    config = Config.fromfile(path)
    if size is not None:
        config.test_pipeline = [
            dict(step, scale=(size, size), keep_ratio=False)
            if step["type"] == "Resize"
            else step
            for step in find_test_pipeline(config)
            if step["type"] != "CenterCrop"
        ]
    return config


def resident_mib() -> float:
    """Memory of this process that lies in RAM, in MiB (Linux)."""
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def scenes(height: int, width: int, count: int = 32) -> list[np.ndarray]:
    """BGR frames of drifting coloured blobs, with edges to find."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    blobs = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return [np.roll(blobs, (2 * t, 5 * t), (0, 1)) for t in range(count)]


def stream(
    recognizer: StreamingRecognizer, frames: list[np.ndarray], count: int
) -> tuple[np.ndarray, list[float]]:
    """Run ``count`` frames; latencies in ms, and memory at 20 times on the way."""
    latency = np.empty(count)
    memory = []
    every = max(1, count // 20)
    for i in range(count):
        began = time.perf_counter()
        recognizer.update(frames[i % len(frames)])
        latency[i] = 1000 * (time.perf_counter() - began)
        if (i + 1) % every == 0:
            memory.append(resident_mib())
    return latency, memory


@torch.inference_mode()
def compare(
    recognizer: StreamingRecognizer, frames: list[np.ndarray], rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Time the stages of a frame, and a whole clip.

    Returns:
        Median ms of every stage, taken in turn, so that noise meets all alike; and
        operations of the model's part of a decision, by step and by clip.
    """
    model, normaliser = recognizer.model, recognizer.model.data_preprocessor
    clip_len = find_clip_len(find_test_pipeline(model.cfg))
    engine = recognizer.engine
    pictures = [engine.prepare(frames[i % len(frames)], "bgr") for i in range(clip_len)]
    clip = normalise(normaliser, pictures).transpose(0, 1)[None]
    inputs = normalise(normaliser, pictures[:1])
    # One stream may have several states, a batch to the model.
    states, one = engine.state, split_state(engine.state)[0]
    batch = inputs.repeat_interleave(recognizer.policy.replicas, dim=0)
    fresh = model.backbone.init_state(len(batch), tuple(batch.shape[-2:]))
    result, overlay = recognizer.update(frames[0]), Overlay(recognizer.labels)
    calls: dict[str, Callable[[], object]] = {
        "resize, crop, edges": lambda: engine.prepare(frames[0], "bgr"),
        "normalise": lambda: normalise(normaliser, pictures[:1]),
        "step of one state": lambda: model.cls_head(
            engine.backbone_step(inputs, one)[0]
        ),
        "step of all states": lambda: model.cls_head(
            engine.backbone_step(batch, states)[0]
        ),
        "the same, at a start": lambda: model.cls_head(
            engine.backbone_step(batch, fresh)[0]
        ),
        "drawing, if wanted": lambda: overlay.draw(result),
        f"clip of {clip_len} frames": lambda: model.cls_head(model.backbone(clip)),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            with engine.autocast:
                call()
            if clip.is_cuda:
                torch.cuda.synchronize()
            times[name].append(1000 * (time.perf_counter() - began))
    operations = {}
    *_, step, _, _, whole = calls
    for name in (step, whole):
        eager = torch.compiler.set_stance("force_eager")
        with (
            engine.autocast,
            eager,
            FlopCounterMode(display=False) as counter,
        ):
            calls[name]()
        operations[name] = counter.get_total_flops()
    # The first round warms up.
    medians = {name: float(np.median(values[1:])) for name, values in times.items()}
    return medians, operations


def serve(
    shared: StreamingRecognizer, frames: list[np.ndarray], count: int, rounds: int
) -> dict[str, float]:
    """Median ms for a new frame of each of ``count`` streams, three ways in turn."""
    batch = shared.fork(num_streams=count)
    forks = [shared.fork(num_streams=1) for _ in range(count)]
    threads = ThreadPoolExecutor(count)

    def frame(stream: int, turn: int) -> np.ndarray:
        return frames[(turn + 3 * stream) % len(frames)]

    def batched(turn: int) -> None:
        batch.update_batch([frame(i, turn) for i in range(count)])

    def in_turn(turn: int) -> None:
        for i, fork in enumerate(forks):
            fork.update(frame(i, turn))

    def in_threads(turn: int) -> None:
        work = [threads.submit(x.update, frame(i, turn)) for i, x in enumerate(forks)]
        for done in work:
            done.result()

    calls = (batched, in_turn, in_threads)
    times: dict[str, list[float]] = {call.__name__: [] for call in calls}
    for turn in range(rounds + 3):
        for call in calls:
            began = time.perf_counter()
            call(turn)
            times[call.__name__].append(1000 * (time.perf_counter() - began))
    threads.shutdown()
    # The first rounds warm up.
    return {name: float(np.median(values[3:])) for name, values in times.items()}


def compare_ways(
    shared: StreamingRecognizer, frames: list[np.ndarray], args: argparse.Namespace
) -> None:
    """Print a table of ways to serve several streams."""
    print(f"{torch.get_num_threads()} threads; ms for a frame of each stream\n")
    print("| streams | one batch | a fork each, in turn | a fork each, in threads |")
    print("|---|---|---|---|")
    for count in args.streams:
        values = serve(shared, frames, count, args.rounds).values()
        print(f"| {count} | " + " | ".join(f"{x:.1f}" for x in values) + " |")


def main() -> None:
    """Measure and print."""
    args = parse_args()
    cv2.setNumThreads(1)  # as the demo does
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no checkpoint given")
        recognizer = StreamingRecognizer(
            read_config(args.config, args.size),
            args.checkpoint,
            args.device,
            precision=args.precision,
            compiled=args.compiled,
            policy=args.policy,
        )
    frames = scenes(args.height, args.width)
    if args.streams:
        compare_ways(recognizer, frames, args)
        return
    stream(recognizer, frames, args.warmup)
    latency, memory = stream(recognizer, frames, args.frames)
    stages, operations = compare(recognizer, frames, args.rounds)
    p50, p95 = np.percentile(latency, [50, 95])
    tenth = max(1, len(latency) // 10)
    first, last = (np.median(x) for x in (latency[:tenth], latency[-tenth:]))
    size = state_bytes(recognizer.engine.state) / 2**20
    step, whole = operations
    ratio = stages[whole] / stages[step]
    work = operations[whole] / operations[step]
    policy = type(recognizer.policy).__name__
    print(
        f"{args.frames} frames of {args.width}x{args.height}, policy {policy}, "
        f"{torch.get_num_threads()} threads, {args.device}, {args.precision}"
        f"{', compiled' if args.compiled else ''}"
    )
    print(f"latency         p50 {p50:.2f} ms, p95 {p95:.2f} ms")
    print(f"first/last 10%  median {first:.2f} ms, {last:.2f} ms")
    for name, value in stages.items():
        print(f"  {name:<22}{value:8.2f} ms")
    print(f"a clip          {ratio:.1f} times a decision's time, {work:.1f} its work")
    print(f"state           {size:.2f} MiB a stream")
    # Python and the allocators settle in the first part of the run.
    settled = memory[1:] or memory
    spread = max(settled) - min(settled)
    print(
        f"resident memory {settled[-1]:.1f} MiB, {settled[-1] - settled[0]:+.2f} MiB "
        f"since the first twentieth, within {spread:.2f} MiB"
    )
    if args.markdown:
        print("\n| config | policy | p50 | p95 | clip / step | state | memory within |")
        print("|---|---|---|---|---|---|---|")
        print(
            f"| {args.config} | {policy} | {p50:.1f} ms | {p95:.1f} ms | {ratio:.1f} "
            f"| {size:.2f} MiB | {spread:.2f} MiB over {args.frames} frames |"
        )


if __name__ == "__main__":
    main()
