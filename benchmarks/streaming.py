"""Measure a stream: latency of a frame, memory over time, size of the state.

Latency is end to end without display: from a raw BGR frame to scores and events
(resize, crop, edges, normalisation, model, policy, smoothing). The same run also
times what a sliding window would do, one clip forward a decision, and gives the ratio.

    OMP_NUM_THREADS=2 python benchmarks/streaming.py CONFIG --markdown
    python benchmarks/streaming.py CONFIG --frames 20000   # memory over a long run
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np
import torch

from lcr_mmaction.apis import POLICIES, StreamingRecognizer
from lcr_mmaction.apis.preprocess import find_clip_len, find_test_pipeline, normalise
from lcr_mmaction.apis.state import split_state, state_bytes


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="LCR config file")
    parser.add_argument("checkpoint", nargs="?", help="random weights without one")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--clips", type=int, default=5, help="of the sliding window")
    parser.add_argument("--height", type=int, default=480, help="of the raw frames")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--policy", choices=POLICIES, help="default: the config's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--markdown", action="store_true", help="print a table row")
    return parser.parse_args()


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
def window(
    recognizer: StreamingRecognizer, frames: list[np.ndarray], clip_len: int, clips: int
) -> float:
    """Median ms of one clip forward; the preprocessing of its frames left out."""
    model = recognizer.model
    pictures = [recognizer.preprocess(frames[i % len(frames)]) for i in range(clip_len)]
    clip = normalise(model.data_preprocessor, pictures).transpose(0, 1)[None]
    times = []
    for _ in range(clips + 1):
        began = time.perf_counter()
        model.cls_head(model.backbone(clip))
        if clip.is_cuda:
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - began))
    return float(np.median(times[1:]))


@torch.inference_mode()
def parts(
    recognizer: StreamingRecognizer, frames: list[np.ndarray]
) -> dict[str, float]:
    """Median ms of the stages of a frame, measured alone."""
    model, states = recognizer.model, recognizer.state
    pictures = [recognizer.preprocess(frame) for frame in frames]
    inputs = normalise(model.data_preprocessor, pictures[:1])
    state = split_state(states)[0]

    def median_of(call: Callable, items: list) -> float:
        times = []
        for item in items:
            began = time.perf_counter()
            call(item)
            if inputs.is_cuda:
                torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - began))
        return float(np.median(times))

    def one_step(_: np.ndarray) -> None:
        model.cls_head(model.backbone.step(inputs, state)[0])

    return {
        "resize, crop, edges": median_of(recognizer.preprocess, frames),
        "normalise": median_of(
            lambda picture: normalise(model.data_preprocessor, [picture]), pictures
        ),
        "step of one state": median_of(one_step, frames),
    }


def main() -> None:
    """Measure and print."""
    args = parse_args()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no checkpoint given")
        recognizer = StreamingRecognizer(
            args.config, args.checkpoint, args.device, policy=args.policy
        )
    frames = scenes(args.height, args.width)
    stream(recognizer, frames, args.warmup)
    latency, memory = stream(recognizer, frames, args.frames)
    clip_len = find_clip_len(find_test_pipeline(recognizer.model.cfg))
    whole = window(recognizer, frames, clip_len, args.clips)
    stages = parts(recognizer, frames)
    p50, p95 = np.percentile(latency, [50, 95])
    tenth = max(1, len(latency) // 10)
    first, last = (np.median(x) for x in (latency[:tenth], latency[-tenth:]))
    size = state_bytes(recognizer.state) / 2**20
    ratio = whole / stages["step of one state"]
    policy = type(recognizer.policy).__name__
    print(
        f"{args.frames} frames of {args.width}x{args.height}, policy {policy}, "
        f"{torch.get_num_threads()} threads, {args.device}"
    )
    print(f"latency         p50 {p50:.2f} ms, p95 {p95:.2f} ms")
    print(f"first/last 10%  median {first:.2f} ms, {last:.2f} ms")
    for name, value in stages.items():
        print(f"  {name:<22}{value:8.2f} ms")
    print(f"{clip_len}-frame clip    {whole:.2f} ms, {ratio:.1f} times a step")
    print(f"state           {size:.2f} MiB a stream")
    # Python and the allocators settle in the first part of the run.
    settled = memory[len(memory) // 4 :] or memory
    spread = max(settled) - min(settled)
    print(f"resident memory {settled[-1]:.1f} MiB, within {spread:.2f} MiB")
    if args.markdown:
        print("\n| config | policy | p50 | p95 | clip / step | state | memory within |")
        print("|---|---|---|---|---|---|---|")
        print(
            f"| {args.config} | {policy} | {p50:.1f} ms | {p95:.1f} ms | {ratio:.1f} "
            f"| {size:.2f} MiB | {spread:.2f} MiB over {args.frames} frames |"
        )


if __name__ == "__main__":
    main()
