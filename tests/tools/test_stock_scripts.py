"""MMAction2's own scripts on an LCR config, from a directory that has none of ours."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import load
from PIL import Image
from tool_runs import Run, Trained, execute

from lcr_mmaction.upstream.doors import stock_script


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=False)["state_dict"]


def test_the_test_door_scores_what_the_stock_script_predicted(
    trained: Trained, tool: Run, tmp_path: Path
) -> None:
    predictions = load(trained.predictions)
    hits = [int(p["pred_label"]) == int(p["gt_label"]) for p in predictions]
    arguments = (trained.config, trained.checkpoint, "--work-dir", tmp_path)
    output = tool("test.py", *arguments)
    assert f"acc/top1: {np.mean(hits):.4f}" in output


def test_the_train_door_trains_the_same_model(
    trained: Trained, tool: Run, tmp_path: Path
) -> None:
    tool("train.py", trained.config, "--work-dir", tmp_path)
    by_door, by_stock = weights(tmp_path / "epoch_2.pth"), weights(trained.checkpoint)
    for name, value in by_stock.items():
        assert torch.equal(by_door[name], value), name


def test_resuming_goes_on_where_the_run_stopped(
    trained: Trained, stock: Run, tmp_path: Path
) -> None:
    shutil.copy(trained.checkpoint, tmp_path)
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_2.pth"))
    output = stock(
        "train.py",
        *(trained.config, "--work-dir", tmp_path, "--resume"),
        *("--cfg-options", "train_cfg.max_epochs=3"),
    )
    assert "resumed epoch: 2, iter: 4" in output
    assert "Epoch(train) [1]" not in output
    assert (tmp_path / "epoch_3.pth").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="bfloat16 is the CPU's type")
def test_amp_trains_on_the_cpu(trained: Trained, stock: Run, tmp_path: Path) -> None:
    stock("train.py", trained.config, "--work-dir", tmp_path, "--amp")
    by_amp, by_float = weights(tmp_path / "epoch_2.pth"), weights(trained.checkpoint)
    differences = [(by_amp[k] - v).abs().max() for k, v in by_float.items()]
    assert 0 < max(differences) < 0.1
    assert all(value.isfinite().all() for value in by_amp.values())


def test_two_processes_train_together(
    trained: Trained, elsewhere: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    arguments = [trained.config, "--work-dir", tmp_path, "--launcher", "pytorch"]
    options = ["--cfg-options", "env_cfg.dist_cfg.backend=gloo"]
    script = stock_script("train.py")
    output = execute(
        [*command, "--nproc_per_node=2", script, *arguments, *options], elsewhere
    )
    # Six clips, three at a time, in two processes: one step an epoch.
    assert "Epoch(train) [2][1/1]" in output
    assert (tmp_path / "epoch_2.pth").exists()


def test_get_flops_is_the_same_through_the_door(
    trained: Trained, stock: Run, tool: Run
) -> None:
    arguments = (trained.config, "--shape", 1, 4, 4, 32, 32)
    by_stock = stock("analysis_tools/get_flops.py", *arguments)
    by_door = tool("analysis_tools/get_flops.py", *arguments)
    figures = re.findall(r"(?:Flops|Params): \S+", by_stock)
    assert len(figures) == 2
    assert figures == re.findall(r"(?:Flops|Params): \S+", by_door)
    # MMEngine itself does not count element-wise operators, and says so.
    assert "Unsupported operator lcr::" not in by_stock


def test_print_config_shows_the_merged_config(trained: Trained, tool: Run) -> None:
    options = ("--options", "train_cfg.max_epochs=7")
    output = tool("analysis_tools/print_config.py", trained.config, *options)
    assert "LCRBackbone" in output and "max_epochs=7" in output


def test_confusion_matrix_of_a_checkpoint(
    trained: Trained, tool: Run, tmp_path: Path
) -> None:
    out, picture = tmp_path / "matrix.pkl", tmp_path / "matrix.png"
    tool(
        "analysis_tools/confusion_matrix.py",
        *(trained.config, trained.checkpoint, "--out", out, "--show-path", picture),
    )
    matrix = np.asarray(load(out))
    predictions = load(trained.predictions)
    expected = np.zeros((3, 3), int)
    for sample in predictions:
        expected[int(sample["gt_label"]), int(sample["pred_label"])] += 1
    np.testing.assert_array_equal(matrix, expected)
    assert Image.open(picture).size[0] > 100


def test_saved_predictions_are_scored_and_fused(trained: Trained, tool: Run) -> None:
    scored = tool("analysis_tools/eval_metric.py", trained.config, trained.predictions)
    fused = tool(
        "analysis_tools/report_accuracy.py",
        *("--preds", trained.predictions, trained.predictions),
        *("--coefficients", 1, 1),
    )
    top1 = re.search(r"acc/top1': ([\d.]+)", scored)[1]
    assert f"Top 1 Accuracy: {float(top1):.4f}" in fused


def test_a_published_checkpoint_is_smaller_and_scores_the_same(
    trained: Trained, tool: Run, stock: Run, tmp_path: Path
) -> None:
    tool("deployment/publish_model.py", trained.checkpoint, tmp_path / "published.pth")
    (published,) = tmp_path.glob("published*.pth")
    assert published.stat().st_size < trained.checkpoint.stat().st_size
    dump = tmp_path / "predictions.pkl"
    arguments = (trained.config, published, "--work-dir", tmp_path, "--dump", dump)
    stock("test.py", *arguments)
    for ours, theirs in zip(load(dump), load(trained.predictions), strict=True):
        assert torch.equal(ours["pred_score"], theirs["pred_score"])


def test_publishing_a_hostile_checkpoint_runs_nothing(
    tool: Run, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self) -> tuple:
            return mark.mkdir.__func__, (mark,)

    torch.save({"meta": Hostile()}, tmp_path / "hostile.pth")
    arguments = (tmp_path / "hostile.pth", tmp_path / "out.pth")
    output = tool("deployment/publish_model.py", *arguments, expect=1)
    assert "Weights only load failed" in output
    assert not mark.exists()
