"""Time a model on this machine: from a camera's frame to scores and events.

Every engine that is installed, in every precision it has, in a process of its own;
what the model says of drifting blobs does not matter.

Examples:
  lcr bench
  lcr bench --model model.onnx --threads 1 2 4
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ..arguments import input_file, positive
from ..engines import EXPORTED_ENGINES, PRECISIONS, installed_engines
from ..recognizer import StreamRecognizer, load_recognizer
from ..shipped import SHIPPED, shipped_file


class Timing(NamedTuple):
    """What one engine takes.

    Attributes:
        engine: Its name.
        precision: Of its products.
        threads: Of a step.
        start: Seconds from the file to the first result.
        p50: Median ms of a frame.
        p95: 95th percentile, ms.
        memory: MiB of the whole process; 0 where that is not known.
    """

    engine: str
    precision: str
    threads: int
    start: float
    p50: float
    p95: float
    memory: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument(
        "--model",
        type=lambda text: text if text == SHIPPED else input_file(text),
        default=SHIPPED,
        help=f"file that `lcr export` wrote; default: {SHIPPED!r}, the package's own",
    )
    parser.add_argument(
        "--engine", nargs="+", choices=EXPORTED_ENGINES, help="default: all installed"
    )
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, help="default: all there are"
    )
    parser.add_argument("--threads", nargs="+", type=positive(int), default=[1, 2])
    parser.add_argument("--frames", type=positive(int), default=200)
    parser.add_argument("--policy", help="default: the model's; keep is one step")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    path = str(shipped_file() if args.model == SHIPPED else args.model)
    engines = args.engine or installed_engines()
    if not engines:
        raise ModuleNotFoundError("no engine is installed: pip install onnxruntime")
    if args.alone:
        row = args.engine[0], args.precision[0], args.threads[0]
        load = partial(load_recognizer, path, *row, policy=args.policy)
        timing = measure(load, *row, args.frames)
        print(json.dumps(timing._asdict()))
        return
    if not args.json:
        print("| engine | precision | threads | start | p50 | p95 | memory |")
        print("|---|---|---|---|---|---|---|")
    for engine in engines:
        for precision in args.precision or PRECISIONS:
            for threads in args.threads:
                _run_alone(args, path, engine, precision, threads)


def measure(
    load: Callable[[], StreamRecognizer],
    engine: str,
    precision: str,
    threads: int,
    frames: int,
) -> Timing:
    """Time an engine in this process.

    Args:
        load: Makes the recognizer that runs in it.
        engine: Its name.
        precision: Of its products.
        threads: Of a step.
        frames: How many 640x480 frames to time.
    """
    import cv2

    from .export import drifting_blobs

    cv2.setNumThreads(1)
    images = drifting_blobs(32)
    began = time.perf_counter()
    recognizer = load()
    recognizer.update(images[0])
    start = time.perf_counter() - began
    taken, warm = [], min(20, frames // 2)
    for i in range(warm + frames):
        began = time.perf_counter()
        recognizer.update(images[i % len(images)])
        taken.append(1000 * (time.perf_counter() - began))
    p50, p95 = np.percentile(taken[warm:], [50, 95])
    memory = _resident_mib()
    return Timing(engine, precision, threads, start, float(p50), float(p95), memory)


def _run_alone(
    args: argparse.Namespace, path: str, engine: str, precision: str, threads: int
) -> None:
    options = ["--model", path, "--engine", engine, "--precision", precision]
    options += ["--threads", str(threads), "--frames", str(args.frames), "--alone"]
    options += ["--policy", args.policy] if args.policy else []
    command = [sys.executable, "-m", "lcr_runtime", "bench", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        # Precisions that were not asked for are left out where they are not there.
        if args.precision or "precision=" not in done.stderr:
            raise ValueError(done.stderr.strip().splitlines()[-1])
        return
    if args.json:
        print(done.stdout.strip(), flush=True)
        return
    row = Timing(**json.loads(done.stdout))
    print(
        f"| {row.engine} | {row.precision} | {row.threads} | {row.start:.2f} s | "
        f"{row.p50:.2f} ms | {row.p95:.2f} ms | {row.memory:.0f} MiB |",
        flush=True,
    )


def _resident_mib() -> float:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
    except OSError:
        return 0.0
    return int(line.split()[1]) / 1024
