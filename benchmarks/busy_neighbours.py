"""A training step and a step of a stream beside busy processes.

    python benchmarks/busy_neighbours.py
    python benchmarks/busy_neighbours.py --neighbours 0 4 --seconds 20

Neighbours are processes that compute without end. Each way of OpenMP's threads to wait
has a process of its own, because it cannot be changed later; within one, the numbers of
neighbours take turns. Random clips and frames, random weights.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from shared.measuring import markdown, random_clips

from lcr_mmaction.streaming import StreamingRecognizer

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
WAYS = {
    "OpenMP's default": {},
    "asleep at once": {"OMP_WAIT_POLICY": "passive"},
    "the package's": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "500"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
ROUNDS = 2


def training_step() -> Callable[[], object]:
    """A step of ``lcr_jester_tiny.py``, batch 16, data left out."""
    config = Config.fromfile(CONFIGS / "lcr_jester_tiny.py")
    init_default_scope("mmaction")
    model = MODELS.build(config.model).train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    clips = (255 * random_clips(16, 4, 8, 64).sigmoid()).to(torch.uint8)
    samples = [ActionDataSample().set_gt_label(i) for i in range(len(clips))]
    inputs = list(clips.unsqueeze(1))
    return lambda: model.train_step(dict(inputs=inputs, data_samples=samples), wrapper)


def stream_step() -> Callable[[], object]:
    """A frame of a stream of ``lcr_jester.py``, from picture to events."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no checkpoint given")
        recognizer = StreamingRecognizer(str(CONFIGS / "lcr_jester.py"), None, "cpu")
    frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    return lambda: recognizer.update(frame)


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep that many processes busy."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(0.2 * bool(count))
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(counts: list[int], limit: float) -> dict[str, dict[int, list[float]]]:
    """Milliseconds of every call, by what was called and the number of neighbours."""
    calls = {"training step": training_step(), "stream step": stream_step()}
    taken: dict = {name: {count: [] for count in counts} for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            for count in counts:
                with neighbours(count):
                    end = time.perf_counter() + limit / ROUNDS
                    while (begun := time.perf_counter()) < end:
                        call()
                        taken[name][count].append(1e3 * (time.perf_counter() - begun))
    return taken


def in_a_process(way: str, arguments: list[str]) -> dict:
    """Measure one way of waiting."""
    names = {name for variables in WAYS.values() for name in variables}
    env = {k: v for k, v in os.environ.items() if k not in names} | WAYS[way]
    command = [sys.executable, __file__, "--measure", *arguments]
    result = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    """Measure all ways and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=6, help="of every case")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.neighbours, args.seconds)))
        return
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}\n")
    rows = []
    for way in WAYS:
        times = in_a_process(way, sys.argv[1:])
        for name, by_count in times.items():
            quiet = statistics.median(by_count[str(args.neighbours[0])])
            for count, each in by_count.items():
                median, p95 = np.percentile(each, [50, 95])
                row = (name, way, count, float(median), float(p95))
                rows.append((*row, float(median / quiet), len(each)))
    header = ["", "waiting", "neighbours", "median, ms", "p95, ms", "times quiet", "n"]
    print(markdown(header, rows))


if __name__ == "__main__":
    main()
