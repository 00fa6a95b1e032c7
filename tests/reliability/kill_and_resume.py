"""Kill training runs at random moments and compare how they end; takes minutes.

Usage::

    python tests/reliability/kill_and_resume.py --kills 10 --seed 0

Trains a tiny run to the end with MMAction2's own ``train.py``, then again, killed with
-9 at random moments, once a run, and resumed: at the start, in an iteration, in a
validation, in a save. Every run must end bit for bit like the first. Half of the runs
save in the middle of epochs.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from resumable_project import (
    arguments,
    differences,
    environment,
    final_state,
    make_project,
)

# Of a whole run.
ITERATIONS = 20
IN_THE_MIDDLE = """
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(by_epoch=False, interval=3, max_keep_ckpts=2))
"""


def start(config: Path, work_dir: Path, *args: str) -> subprocess.Popen:
    """Start a run as a user does."""
    command = [sys.executable, "-W", "ignore", *arguments(config, work_dir, *args)]
    with open(work_dir.with_suffix(".log"), "a") as log:
        return subprocess.Popen(
            command,
            cwd=config.parent,
            env=environment(config.parent),
            stdout=log,
            stderr=log,
        )


def finish(process: subprocess.Popen, log: Path) -> None:
    """Wait for a run that must end well."""
    if process.wait(timeout=600):
        sys.exit(f"The run failed:\n{log.read_text()[-4000:]}")


def wait_for(process: subprocess.Popen, log: Path, iterations: int) -> None:
    """Wait until a run has logged so many iterations, or is over."""
    while process.poll() is None:
        if log.read_bytes().count(b"Epoch(train)") >= iterations:
            return
        time.sleep(0.005)


def main() -> None:
    """Train, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        whole = {}
        for kind, changes in (("epochs", ""), ("middle", IN_THE_MIDDLE)):
            root = Path(folder) / kind
            config = make_project(root / "project", changes)
            work_dir = root / "whole"
            log = work_dir.with_suffix(".log")
            process = start(config, work_dir)
            wait_for(process, log, 1)
            begin = time.monotonic()
            finish(process, log)
            seconds = (time.monotonic() - begin) / ITERATIONS
            whole[kind] = final_state(work_dir), config, seconds
        for number in range(args.kills):
            kind = ("epochs", "middle")[number % 2]
            expected, config, seconds = whole[kind]
            work_dir = Path(folder) / kind / f"killed{number}"
            log = work_dir.with_suffix(".log")
            process = start(config, work_dir)
            # By the log and not by the clock, as a busy machine is slow.
            wait_for(process, log, rng.randrange(ITERATIONS))
            time.sleep(rng.uniform(0, 2 * seconds))
            process.send_signal(signal.SIGKILL)
            code = process.wait()
            for path in work_dir.glob("*.pth"):
                torch.load(path, weights_only=False)
            saved = (work_dir / "last_checkpoint").exists()
            if code:
                resume = ["--resume"] if saved else []
                finish(start(config, work_dir, *resume), log)
            found = differences(expected, final_state(work_dir))
            failed += bool(found)
            if not code:
                when = "after its end"
            elif saved:
                text = log.read_text()
                when = text[text.index("resumed epoch") :].splitlines()[0]
            else:
                when = "before its first checkpoint"
            print(
                f"{number}: {kind}, killed; {when}: {found[:3] or 'equal'}", flush=True
            )
    print(f"{args.kills - failed} of {args.kills} runs ended like the whole one.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
