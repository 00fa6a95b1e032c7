"""Time a model in every engine, from a camera's frame to scores and events.

Every row runs in a process of its own; weights are random unless given. PyTorch runs
the config, the other engines an export of it.

    python benchmarks/engines.py configs/lcr_jester.py --policy keep
    python benchmarks/engines.py configs/lcr_jester.py --model model.onnx --threads 2
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from lcr_runtime.commands.bench import Timing, measure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="LCR config file")
    parser.add_argument("checkpoint", nargs="?", help="random weights without one")
    parser.add_argument("--model", type=Path, help="an export, where there is one")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--policy", help="default: the model's; keep is one step")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def load(args: argparse.Namespace):
    """The model in PyTorch."""
    from lcr_mmaction.streaming import StreamingRecognizer

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no checkpoint given")
        return StreamingRecognizer(args.config, args.checkpoint, policy=args.policy)


def measure_torch(args: argparse.Namespace) -> Timing:
    """Time PyTorch in this process, as ``lcr bench`` times the others."""
    import torch

    threads = args.threads[0]
    torch.set_num_threads(threads)
    return measure(lambda: load(args), "torch", "fp32", threads, args.frames)


def export(args: argparse.Namespace, path: Path) -> None:
    """Write the model's export."""
    from lcr_mmaction.deployment.export import export_step

    recognizer = load(args)
    preprocess = recognizer.engine.preprocess
    size = preprocess.find_size()
    options = recognizer.options
    export_step(recognizer.model, options, preprocess.steps, size, path)


def rows_of(command: list[str], threads: int) -> list[Timing]:
    """Run a command that prints timings as JSON."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    lines = [x for x in done.stdout.splitlines() if x.startswith("{")]
    return [Timing(**json.loads(line)) for line in lines]


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    if args.alone:
        print(json.dumps(measure_torch(args)._asdict()))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or Path(folder) / "model.onnx"
        if not args.model:
            export(args, model)
        size = model.stat().st_size / 2**20
        print(f"{args.config}: export of {size:.1f} MiB, {args.frames} frames\n")
        print("| engine | precision | threads | start | p50 | p95 | memory |")
        print("|---|---|---|---|---|---|---|")
        given = [args.checkpoint] if args.checkpoint else []
        policy = ["--policy", args.policy] if args.policy else []
        for threads in args.threads:
            options = ["--threads", str(threads), "--frames", str(args.frames)]
            options += policy
            eager = [sys.executable, __file__, args.config, *given, *options, "--alone"]
            bench = [sys.executable, "-m", "lcr_runtime", "bench", *options, "--json"]
            bench += ["--model", str(model)]
            for row in rows_of(eager, threads) + rows_of(bench, threads):
                print(
                    f"| {row.engine} | {row.precision} | {row.threads} | "
                    f"{row.start:.2f} s | {row.p50:.2f} ms | {row.p95:.2f} ms | "
                    f"{row.memory:.0f} MiB |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
