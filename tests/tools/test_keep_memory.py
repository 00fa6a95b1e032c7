"""Memory that training keeps from step to step."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from lcr_mmaction.hooks import keep_memory as hook

FAULTS = """if True:
    import resource, sys
    import torch
    from lcr_mmaction.upstream.allocator import keep_memory
    print(keep_memory())
    step = lambda: [torch.ones(1 << 20) for _ in range(20)] and None
    step()
    counts = []
    for _ in range(3):  # the least: a loaded system takes pages away in between
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        step()
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    print(min(counts))
"""


def page_faults(**environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and the pages fetched by a step like the one before."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    result = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = result.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's")
def test_a_second_step_needs_no_fresh_pages_unless_the_user_says_so():
    kept, faults = page_faults()
    assert kept and faults < 1000
    kept, faults = page_faults(MALLOC_TRIM_THRESHOLD_="131072")
    assert not kept and faults > 5000


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_kept_is_moved_to_large_pages_once_for_each_kind(monkeypatch, kept):
    moves = []
    monkeypatch.setattr(hook, "keep_memory", lambda: kept)
    monkeypatch.setattr(hook, "move_to_large_pages", lambda: moves.append(1))
    runner = SimpleNamespace(
        model=torch.nn.Linear(1, 1), logger=SimpleNamespace(info=lambda text: None)
    )
    keeping = hook.KeepMemoryHook()
    keeping.before_run(runner)
    for step in range(3):
        keeping.after_train_iter(runner, step)
    assert len(moves) == kept
    keeping.after_val_iter(runner, 0)
    assert len(moves) == 2 * kept
