"""Train for many epochs, look at the memory, and end the run with Ctrl-C.

Usage::

    python tests/reliability/long_run.py --epochs 200

A tiny run by MMAction2's own ``train.py``, with two data workers and a checkpoint every
epoch. Said at the end: the memory of all its processes after a twentieth of the epochs
(at least 5) and after the last, how many processes there were, and whether Ctrl-C left
a checkpoint that loads and no process.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from resumable_project import arguments, environment, make_project


@dataclass
class Outcome:
    """How a run went.

    Attributes:
        early: Memory of all its processes near the start, in MiB.
        late: The same after the last epoch.
        processes: How many there were near the start, and at the end.
        left: Processes that were there after Ctrl-C.
        saved: Epoch of the last checkpoint.
        status: The run's exit status.
    """

    early: float
    late: float
    processes: tuple[int, int]
    left: int
    saved: int
    status: int


def processes_marked(mark: str) -> list[int]:
    """Processes that have the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes()
            alive = (folder / "stat").read_text().rsplit(")")[1].split()[0] != "Z"
        except OSError:
            continue  # it has ended, or is somebody else's
        if alive and mark.encode() in variables:
            found.append(int(folder.name))
    return found


def wait_until(condition: Callable[[], Any], log: Path, seconds: float = 120) -> None:
    """Wait; what the log says last is the error where it lasts too long."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(0.05)


def memory(processes: list[int]) -> float:
    """Memory that processes have for themselves, their share of the rest, in MiB."""
    total = 0
    for process in processes:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024


def interrupted_run(folder: Path, epochs: int) -> Outcome:
    """Train for some epochs, then press Ctrl-C."""
    config = make_project(folder / "project")
    mark, log, work = f"LCR_TEST_RUN={folder}", folder / "log.txt", folder / "work"
    train = arguments(config, work, "--cfg-options", "train_cfg.max_epochs=100000")
    with open(log, "w") as file:
        run = subprocess.Popen(
            [sys.executable, "-W", "ignore", *train],
            cwd=config.parent,
            env=environment(config.parent) | dict([mark.split("=")]),
            stdout=file,
            stderr=file,
            start_new_session=True,
            # Ignored where this was started in the background, and then inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def reached(epoch: int) -> Callable[[], object]:
        line = re.compile(rf"Epoch\(train\) +\[{epoch}\]\[")
        return lambda: line.search(log.read_text())

    try:
        wait_until(reached(max(5, epochs // 20)), log, 120 + epochs)
        first = processes_marked(mark)
        early = memory(first)
        wait_until(reached(epochs), log, 120 + 10 * epochs)
        last = processes_marked(mark)
        late = memory(last)
        os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to all of them
        status = run.wait(120)
        time.sleep(1)
        left = len(processes_marked(mark))
    finally:
        for process in processes_marked(mark):
            os.kill(process, signal.SIGKILL)
    checkpoint = (work / "last_checkpoint").read_text()
    saved = torch.load(checkpoint, weights_only=False)["meta"]["epoch"]
    return Outcome(early, late, (len(first), len(last)), left, saved, status)


def main() -> None:
    """Say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(interrupted_run(Path(folder), args.epochs))


if __name__ == "__main__":
    main()
