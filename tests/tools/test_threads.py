"""How the CPU threads of the tools wait, and how many there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lcr_mmaction.threads import describe_threads, processors_of_quota

ROOT = Path(__file__).resolve().parents[2]
DOORS = {
    "a door to a stock script": ("tools/train.py", "--help"),
    "the evaluation": ("tools/streaming/evaluate.py", "--help"),
}


def spins(command: tuple[str, ...], **environment: str) -> str:
    """How often OpenMP looks before it sleeps, as it says itself when it is loaded."""
    choices = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    inherited = {k: v for k, v in os.environ.items() if k not in choices}
    result = subprocess.run(
        [sys.executable, *command],
        env=inherited | {"OMP_DISPLAY_ENV": "verbose"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not said:
        pytest.skip("this PyTorch's OpenMP does not say how it waits")
    return said[0].split("=")[1].strip(" '")


@pytest.mark.parametrize("door", DOORS)
def test_threads_soon_sleep(door):
    assert spins(DOORS[door]) == "500"


def test_the_users_own_policy_stays():
    command = ("-c", "import lcr_mmaction")
    assert spins(command, OMP_WAIT_POLICY="passive") == "0"


def test_nothing_is_claimed_where_pytorch_came_first():
    code = """if True:
        import os, torch
        before = dict(os.environ)
        import lcr_mmaction
        assert {x: y for x, y in os.environ.items() if x[:3] in ("OMP", "GOM")} == {
            x: y for x, y in before.items() if x[:3] in ("OMP", "GOM")
        }
    """
    assert spins(("-c", code)) not in ("0", "500")


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("", None),
    ],
)
def test_a_containers_quota(text, processors, tmp_path):
    path = tmp_path / "cpu.max"
    path.write_text(text)
    assert processors_of_quota(path) == processors
    assert processors_of_quota(tmp_path / "none") is None


def test_the_log_says_what_there_is(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    said = describe_threads(3)
    assert f"{torch.get_num_threads()} of PyTorch" in said
    assert "3 data workers" in said
    assert "OMP_WAIT_POLICY=active" in said
