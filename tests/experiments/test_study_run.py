from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import run as run_tool
from harness.launch import launch
from harness.plan import Run, plan_runs
from harness.study import load_study
from harness.train import train
from mmengine.config import Config

pytestmark = pytest.mark.slow
Start = Callable[..., None]


@pytest.fixture(scope="module")
def start(small_study: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start `run.py` on the small study, always with the same folders."""
    root = tmp_path_factory.mktemp("experiments")

    def start(*arguments: str) -> None:
        folders = ["--data", str(root / "data"), "--out", str(root / "out")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                sys,
                "argv",
                ["run.py", small_study, "--jobs", "2", *folders, *arguments],
            )
            run_tool.main()

    start.root = root
    return start


@pytest.fixture(scope="module")
def trained(start: Start, small_study: str) -> list[Run]:
    """All runs of one seed, their checkpoints kept."""
    start("--seeds", "1", "--keep")
    data, out = start.root / "data", start.root / "out"
    return plan_runs(load_study(small_study), "quick", 1, data, out)


def result_of(run: Run) -> dict:
    return json.loads(run.result_file.read_text())


def copied(run: Run, folder: Path) -> Path:
    """The folder of a run as it was before its result was written."""
    shutil.copytree(run.folder, folder)
    (folder / "result.json").unlink()
    return folder


def test_every_variant_is_trained_and_reported(
    trained: list[Run], start: Start
) -> None:
    assert len(trained) == 2
    for run in trained:
        result = result_of(run)
        assert [record["epoch"] for record in result["curve"]] == [1, 2]
        assert result["curve"][-1]["clips"] == 32
        assert 0 < result["train_seconds"] < result["wall_seconds"]
        assert 0 <= result["top1"] <= result["best"] <= 1
        assert result["input"] == [1, 4, 4, 32, 32]
        assert result["parameters"] > 0 and result["flops"] > 0
        assert set(result["tests"]) == ({"8"} if "edges" in run.variant else set())
    table = (start.root / "out" / "small" / "quick" / "table.md").read_text()
    assert "| without edges, tested at 8 |" in table


def test_finished_runs_are_not_trained_again(
    trained: list[Run], start: Start, capsys: pytest.CaptureFixture
) -> None:
    before = [run.result_file.stat().st_mtime_ns for run in trained]
    start("--seeds", "1")
    assert "2 runs, 0 to train" in capsys.readouterr().out
    assert [run.result_file.stat().st_mtime_ns for run in trained] == before


def test_a_run_stopped_before_its_last_test_ends_as_the_others(
    trained: list[Run], tmp_path: Path
) -> None:
    folder = copied(trained[1], tmp_path / "run")
    curve = json.loads((folder / "curve.json").read_text())
    for score in ("top1", "top5", "mean1"):
        del curve[-1][score]
    (folder / "curve.json").write_text(json.dumps(curve))
    expected = result_of(trained[1])
    result = train(folder, keep=False)
    assert (result["top1"], result["tests"]) == (expected["top1"], expected["tests"])
    assert result["train_seconds"] == expected["train_seconds"]
    assert not list(folder.rglob("*.pth"))


def test_an_interrupted_run_goes_on_from_its_checkpoint(
    trained: list[Run], tmp_path: Path
) -> None:
    folder = copied(trained[0], tmp_path / "run")
    cfg = Config.fromfile(folder / "config.py")
    cfg.train_cfg.max_epochs = 3
    cfg.dump(folder / "config.py")
    before = result_of(trained[0])
    result = train(folder, keep=True)
    # The validation of the checkpoint's epoch is made again, with the same scores.
    for old, new in zip(before["curve"], result["curve"], strict=False):
        assert new | dict(wall=0) == old | dict(wall=0)
    assert [record["epoch"] for record in result["curve"]] == [1, 2, 3]
    assert result["train_seconds"] > before["train_seconds"]
    assert (folder / "work" / "epoch_3.pth").exists()


def test_a_run_that_fails_is_told_and_logged(
    trained: list[Run], tmp_path: Path
) -> None:
    cfg = trained[0].config
    cfg.model.backbone.cell = "no such cell"
    bad = Run("bad", "bad", 0, cfg, tmp_path / "bad")
    assert launch([bad, trained[1]], jobs=1, keep=False) == [bad]
    assert "no such cell" in (bad.folder / "log").read_text()
