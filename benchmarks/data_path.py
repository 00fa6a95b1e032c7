"""Whether a config's loader keeps up with its model, and what each transform costs.

    JESTER_ROOT=data/synthetic_jester python benchmarks/data_path.py
    python benchmarks/data_path.py CONFIG --device cuda --workers 0 4 8

1. Transforms: CPU time per clip of every step of the training pipeline on the config's
   own clips, taking turns, and its share of decoding and resizing.
2. Loader: training steps fed by the config's loader, with several numbers of workers.
   Data time is what a step waits for its batch; a loader that hides it waits for none.

Writes data_path.md.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from copy import deepcopy
from pathlib import Path

import cv2
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from shared.measuring import begin, make_parser, markdown, wait

import lcr_mmaction  # noqa: F401  (registers the transforms)

CONFIG = Path(__file__).resolve().parents[1] / "configs/lcr_jester_tiny.py"
DECODE_AND_RESIZE = ("Init", "Decode", "Crop", "Resize")


def transform_times(config: Config, clips: int) -> str:
    """Median CPU time of every transform over some clips of the training set."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    taken: dict[str, list[float]] = {}
    for index in range(clips + 1):  # the first clip warms up
        results = dataset.get_data_info(index % len(dataset))
        for position, transform in enumerate(dataset.pipeline.transforms, 1):
            start = time.process_time()
            results = transform(results)
            milliseconds = 1e3 * (time.process_time() - start)
            name = f"{position}. {type(transform).__name__}"
            taken.setdefault(name, []).append(milliseconds)
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    base = sum(
        value
        for name, value in medians.items()
        if any(part in name for part in DECODE_AND_RESIZE)
    )
    rows = [(n, f"{ms:.2f}", f"{100 * ms / base:.0f}") for n, ms in medians.items()]
    rows.append(("decode, crop and resize", f"{base:.2f}", "100"))
    return markdown(["transform", "ms a clip", "% of decode, crop and resize"], rows)


def loader_times(config: Config, args: argparse.Namespace) -> str:
    """Data time and step time with several numbers of workers."""
    model = MODELS.build(config.model).to(args.device).train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    own = config.train_dataloader.num_workers
    rows = []
    for workers in args.workers or sorted({0, own}):
        settings = deepcopy(config.train_dataloader)
        settings.num_workers = workers
        settings.persistent_workers = workers > 0
        loader = Runner.build_dataloader(settings, seed=0)
        batches = itertools.chain.from_iterable(itertools.repeat(loader))
        waits, steps = [], []
        for turn in range(args.repeats + args.warmup):
            begun = time.perf_counter()
            batch = next(batches)
            loaded = time.perf_counter()
            model.train_step(batch, wrapper)
            wait(args.device)
            if turn >= args.warmup:
                waits.append(1e3 * (loaded - begun))
                steps.append(1e3 * (time.perf_counter() - loaded))
        # Waits come in bursts, one for each round of workers: the sum counts.
        waited, worked = sum(waits) / len(waits), sum(steps) / len(steps)
        share = f"{100 * waited / (waited + worked):.0f} %"
        name = f"{workers} (the config's)" if workers == own else workers
        rows.append((name, settings.batch_size, waited, worked, share))
    header = ["workers", "batch", "data time, ms", "step, ms", "data time's share"]
    return markdown(header, rows)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__)
    parser.set_defaults(repeats=20)
    parser.add_argument("config", nargs="?", default=CONFIG)
    parser.add_argument("--clips", type=int, default=50, help="for the transforms")
    parser.add_argument("--warmup", type=int, default=4, help="steps left out")
    parser.add_argument("--workers", nargs="+", type=int, help="default: 0 and its own")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, print Markdown and write it to a file."""
    args = parse_args(argv)
    begin(args)
    cv2.setNumThreads(1)
    config = Config.fromfile(args.config)
    init_default_scope("mmaction")
    text = f"{Path(args.config).name}, {args.device}, {torch.get_num_threads()} threads"
    text += f"\n\n{transform_times(config, args.clips)}"
    text += f"\n\n{loader_times(config, args)}\n"
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "data_path.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
