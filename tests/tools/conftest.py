from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest
from tiny_project import make_project
from tool_runs import TOOLS, Run, Trained, execute

from lcr_mmaction.upstream.doors import stock_script


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory that has nothing to do with the repository."""
    try:
        distribution("lcr-mmaction")
    except PackageNotFoundError:
        pytest.fail("These tests need the installed package: pip install -e .")
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def stock(elsewhere: Path) -> Run:
    """Run a script of the installed MMAction2, straight from where it lies."""

    def run(name: str, *args: object, expect: int = 0) -> str:
        command = [sys.executable, "-W", "ignore", stock_script(name), *args]
        return execute(command, elsewhere, expect)

    return run


@pytest.fixture(scope="session")
def tool(elsewhere: Path) -> Run:
    """Run one of our tools."""

    def run(name: str, *args: object, expect: int = 0) -> str:
        command = [sys.executable, "-W", "ignore", TOOLS / name, *args]
        return execute(command, elsewhere, expect)

    return run


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Run the ``main`` of a tool of our own within this process, which is faster."""

    def run(name: str, *args: object) -> ModuleType:
        spec = importlib.util.spec_from_file_location("tool", TOOLS / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        module.main()
        return module

    return run


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def trained(config: Path, stock: Run, elsewhere: Path) -> Trained:
    """Train and test once with MMAction2's own scripts, for all tests here."""
    work_dir = elsewhere / "run"
    stock("train.py", config, "--work-dir", work_dir)
    checkpoint = work_dir / "epoch_2.pth"
    predictions = work_dir / "predictions.pkl"
    stock("test.py", config, checkpoint, "--work-dir", work_dir, "--dump", predictions)
    return Trained(config.parent, config, work_dir, checkpoint, predictions)
