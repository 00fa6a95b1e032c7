from __future__ import annotations

import subprocess
import sys
from copy import copy
from importlib.util import find_spec
from pathlib import Path

import pytest

import lcr_mmaction
from lcr_mmaction.upstream import imports

LOCALIZERS = Path(find_spec("mmaction").origin).parent / "models" / "localizers"
wheel_lacks_drn = pytest.mark.skipif(
    (LOCALIZERS / "drn").is_dir(), reason="this MMAction2 has the DRN localizer"
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )


@wheel_lacks_drn
def test_mmaction_models_import_with_the_plugin_and_only_with_it() -> None:
    without = run_python("import mmaction.models")
    assert "No module named 'mmaction.models.localizers.drn'" in without.stderr
    with_it = run_python("import lcr_mmaction, mmaction.models")
    assert with_it.returncode == 0, with_it.stderr


@wheel_lacks_drn
def test_the_placeholder_says_what_is_missing() -> None:
    from mmaction.models.localizers import DRN

    with pytest.raises(NotImplementedError, match="lacks the DRN localizer"):
        DRN()


def test_the_placeholder_answers_for_drn_alone() -> None:
    finder = imports._DRNPlaceholder()
    assert finder.find_spec("mmaction.models.localizers.drn") is not None
    assert finder.find_spec("mmaction.models.localizers.bmn") is None
    assert finder.find_spec("drn") is None


def test_no_finder_where_upstream_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mmaction"
    (package / "models" / "localizers" / "drn").mkdir(parents=True)
    # A copy: the module keeps its own, which others read.
    spec = copy(find_spec("mmaction"))
    spec.origin = str(package / "__init__.py")
    monkeypatch.setattr(imports, "find_spec", lambda name: spec)
    monkeypatch.setattr(sys, "meta_path", [])
    imports.mend_missing_drn()
    assert sys.meta_path == []


def test_mends_applied_twice_change_nothing() -> None:
    before = list(sys.meta_path)
    lcr_mmaction.apply_mends()
    assert sys.meta_path == before


def test_missing_mmcv_is_answered_with_both_commands() -> None:
    done = run_python(
        "from importlib.machinery import PathFinder as Finder\n"
        "find = Finder.find_spec\n"
        "Finder.find_spec = lambda name, *args: (\n"
        "    None if name == 'mmcv' else find(name, *args))\n"
        "import lcr_mmaction"
    )
    assert "ImportError: MMAction2 needs MMCV" in done.stderr
    assert "mmcv-lite<2.2" in done.stderr and "mmcv<2.2" in done.stderr
    assert "No module named 'mmcv'" not in done.stderr
