from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Where a script started from there finds its neighbours.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def run_benchmark(tmp_path: Path) -> Callable[..., Path]:
    """Run a benchmark as its command line would; return the folder of its files."""

    def run(name: str, *arguments: object) -> Path:
        out = tmp_path / "out"
        argv = [*(str(argument) for argument in arguments), "--out", str(out)]
        importlib.import_module(name).main(argv)
        return out

    return run
