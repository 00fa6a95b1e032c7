"""Measure how fast a config loads its data and runs its model.

MMAction2's ``benchmark.py`` imports what MMCV no longer has; this is written on
MMEngine alone.
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from lcr_mmaction.config_files import read_config


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config", help="config file path")
    parser.add_argument("--iters", type=int, default=20, help="timed iterations")
    parser.add_argument("--warmup", type=int, default=3, help="untimed ones before")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, help="overrides, key=value"
    )
    return parser.parse_args()


def time_calls(call: Callable[[], Any], warmup: int, iters: int) -> float:
    """Return the median time of a call in seconds, device work included."""
    times = []
    for _ in range(warmup + iters):
        start = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warmup:])


def endless(loader: torch.utils.data.DataLoader) -> Iterator[dict]:
    """Yield batches for ever, epoch after epoch."""
    return itertools.chain.from_iterable(itertools.repeat(loader))


def report(name: str, seconds: float, clips: int) -> None:
    """Print one line of the table."""
    print(
        f"{name:<16}{1 / seconds:>10.2f} it/s{seconds * 1e3:>10.1f} ms"
        f"{clips / seconds:>10.1f} clips/s",
        flush=True,
    )


def main() -> None:
    """Measure loading, training steps and inference of one config."""
    args = parse_args()
    cfg = read_config(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get("default_scope", "mmaction"))

    batches = endless(Runner.build_dataloader(cfg.train_dataloader))
    batch = next(batches)
    clips = len(batch["inputs"])
    model = MODELS.build(cfg.model).to(get_device())
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def infer() -> None:
        with torch.no_grad():
            model.test_step(batch)

    print(f"{clips} clips per iteration, on {get_device()}; median of {args.iters}")
    timing = dict(warmup=args.warmup, iters=args.iters)
    report("data loading", time_calls(lambda: next(batches), **timing), clips)
    model.train()
    report(
        "training step",
        time_calls(lambda: model.train_step(batch, optim_wrapper), **timing),
        clips,
    )
    model.eval()
    report("inference", time_calls(infer, **timing), clips)


if __name__ == "__main__":
    main()
