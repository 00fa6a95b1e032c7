"""The shell doors, with a launcher in front that prints what it was asked to start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tool_runs import TOOLS, execute

from lcr_mmaction.upstream.doors import stock_script

BIN = Path(sys.executable).parent


@pytest.fixture
def shell(tmp_path: Path) -> list[object]:
    """Start of a command line on which ``srun`` and torch's launcher only print."""
    srun, python = tmp_path / "srun", tmp_path / "python"
    srun.write_text('#!/bin/sh\necho "srun $*"\n')
    python.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        '*torch.distributed*) echo "python $*" ;;\n'
        f'*) exec {sys.executable} "$@" ;;\nesac\n'
    )
    for script in (srun, python):
        script.chmod(0o755)
    return ["env", f"PATH={tmp_path}:{os.environ['PATH']}", "bash"]


def test_dist_scripts_launch_the_stock_scripts(
    shell: list[object], elsewhere: Path
) -> None:
    output = execute([*shell, TOOLS / "dist_train.sh", "c.py", 2, "--amp"], elsewhere)
    assert "--nproc_per_node=2" in output
    assert f"{stock_script('train.py')} c.py --launcher pytorch --amp" in output
    output = execute([*shell, TOOLS / "dist_test.sh", "c.py", "a.pth", 2], elsewhere)
    assert f"{stock_script('test.py')} c.py a.pth --launcher pytorch" in output


def test_slurm_scripts_start_our_doors(shell: list[object], elsewhere: Path) -> None:
    train, test = TOOLS / "slurm_train.sh", TOOLS / "slurm_test.sh"
    output = execute([*shell, train, "part", "job", "c.py", "--amp"], TOOLS.parent)
    assert "tools/train.py c.py --launcher=slurm --amp" in output
    output = execute([*shell, test, "part", "job", "c.py", "a.pth"], TOOLS.parent)
    assert "tools/test.py c.py a.pth --launcher=slurm" in output
    output = execute([*shell, train, "part", "job", "c.py"], elsewhere, expect=2)
    assert "Run slurm_train.sh from the folder that holds tools/train.py" in output
