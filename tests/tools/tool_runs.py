"""Running tools as a user does who installed the package."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"
Run = Callable[..., str]


@dataclass
class Trained:
    """A trained run of the tiny project."""

    root: Path
    config: Path
    work_dir: Path
    checkpoint: Path
    predictions: Path


def environment() -> dict[str, str]:
    """Return the environment of a user who installed the package and nothing else."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    bin_dir = str(Path(sys.executable).parent)
    return env | {"PATH": bin_dir + os.pathsep + env["PATH"]}


def execute(command: list[object], cwd: Path, expect: int = 0) -> str:
    """Run a command, compare its exit status, return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == expect, done.stdout[-4000:]
    return done.stdout
