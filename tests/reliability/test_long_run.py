"""The long run's script, on a few epochs."""

from __future__ import annotations

import sys

import pytest
from long_run import interrupted_run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_and_ctrl_c_leaves_a_checkpoint_and_no_process(tmp_path):
    run = interrupted_run(tmp_path, epochs=12)
    assert run.late < 1.05 * run.early
    assert run.processes == (3, 3)  # the trainer and its two workers
    assert run.left == 0 and run.status != 0
    assert run.saved >= 11
