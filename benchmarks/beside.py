"""Training steps and forward passes of this checkout beside those of another.

    git worktree add ../before COMMIT
    python benchmarks/beside.py ../before --threads 1

Random clips, processes of both checkouts in turn: batch 16 of 8 x 64 x 64 for
``lcr_jester_tiny``, 1 of 16 x 224 x 224 for ``lcr_jester``. A step is forward,
cross-entropy, backward and AdamW. Each process builds its kernels on first use, before
it measures. Processor time tells more than wall-clock where others use the machine, for
one thread. Prints Markdown: medians over all calls, and the fastest and the slowest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
SHAPES = {"lcr_jester_tiny": (16, 4, 8, 64, 64), "lcr_jester": (1, 4, 16, 224, 224)}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def measure(name: str, args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each call in this process, by what was called.

    Args:
        name: A config.
        args: The command line.
    """
    import lcr_mmaction  # isort: skip  (before PyTorch: how threads wait)

    import torch
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from lcr_mmaction.upstream.allocator import keep_memory
    from lcr_runtime.engines import memory

    keep_memory()
    torch.set_num_threads(args.threads)
    init_default_scope("mmaction")
    root = Path(lcr_mmaction.__file__).parents[1]
    model = MODELS.build(Config.fromfile(root / "configs" / f"{name}.py").model)
    clips = torch.randn(SHAPES[name])
    labels = torch.zeros(len(clips), dtype=torch.long)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def logits() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            return model.cls_head(model.backbone(clips)).float()

    def forward() -> None:
        model.eval()
        with torch.no_grad():
            logits()

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits(), labels).backward()
        optimizer.step()

    calls: dict[str, Callable[[], None]] = {"forward": forward, "training step": step}
    clock, times = CLOCKS[args.clock], defaultdict(list)
    for number in range(args.calls + 1):
        for what, call in calls.items():
            begun = clock()
            call()
            if number:  # the first call warms up
                times[what].append(clock() - begun)
        if not number:  # as KeepMemoryHook does, where it does
            getattr(memory, "move_to_large_pages", bool)()
    return times


def cell(times: list[float]) -> str:
    """Median, fastest and slowest, in ms."""
    each = statistics.median(times), min(times), max(times)
    return "{:.3g} ({:.3g}-{:.3g})".format(*(1e3 * x for x in each))


def main() -> None:
    """Run both in turn and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="another checkout")
    parser.add_argument("--configs", nargs="+", choices=SHAPES, default=[*SHAPES])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="under autocast")
    parser.add_argument("--clock", choices=CLOCKS, default="processor")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each")
    parser.add_argument("--calls", type=int, default=20, help="of a process")
    parser.add_argument("--alone", choices=SHAPES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        print(json.dumps(measure(args.alone, args)))
        return
    print(
        f"| {args.clock} time | | before, ms | now, ms | times as fast |\n{'|---' * 5}|"
    )
    for name in args.configs:
        found: dict[tuple[str, Path], list[float]] = defaultdict(list)
        roots = args.before.resolve(), HERE.parents[1]
        for root in roots * args.rounds:
            command = [sys.executable, HERE, *sys.argv[1:], "--alone", name]
            environment = os.environ | {"PYTHONPATH": str(root)}
            output = subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            for what, times in json.loads(output.splitlines()[-1]).items():
                found[what, root] += times
        for what in ("forward", "training step"):
            before, now = (found[what, root] for root in roots)
            ratio = statistics.median(before) / statistics.median(now)
            print(f"| `{name}` | {what} | {cell(before)} | {cell(now)} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
