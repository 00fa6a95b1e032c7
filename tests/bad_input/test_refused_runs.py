"""Runs that must not start, or not score, seen through MMEngine's runner."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from spoilable_project import Project

from lcr_mmaction.datasets import MissingClipsError
from lcr_mmaction.hooks import (
    CheckpointMismatchError,
    DataGuardHook,
    LabelRangeError,
)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory) -> Path:
    """Folder of a project with a checkpoint of its own model after one epoch."""
    init_default_scope("mmaction")
    project = Project(tmp_path_factory.mktemp("trained"), "rawframe")
    project.runner(project.config()).train()
    return project.root


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Project:
    """A copy of it to spoil."""
    shutil.copytree(trained_once, tmp_path, dirs_exist_ok=True)
    project = Project(tmp_path, "rawframe")
    latest = str(project.work_dir / "epoch_1.pth")
    (project.work_dir / "last_checkpoint").write_text(latest)
    return project


def relabel(project, split: str, label: int) -> None:
    lines = project.lines(split)
    lines[2] = f"{lines[2].rsplit(' ', 1)[0]} {label}"
    project.write_list(split, lines)


@pytest.mark.parametrize(("split", "name"), [("train", "training"), ("val", "valid")])
def test_label_out_of_range_stops_training_before_the_first_step(project, split, name):
    relabel(project, split, 3)
    runner = project.runner(project.config())
    with pytest.raises(
        LabelRangeError, match=f"num_classes = 3.*{name}.*{split}2.* has label 3"
    ):
        runner.train()
    assert runner.iter == 0


def test_label_out_of_range_stops_testing(trained):
    relabel(trained, "val", 7)
    config = trained.config()
    config.load_from = str(trained.work_dir / "epoch_1.pth")
    with pytest.raises(LabelRangeError, match="test list.*val2 has label 7"):
        trained.runner(config).test()


def test_labels_inside_a_wrapped_dataset_are_checked(frame_project):
    relabel(frame_project, "train", 5)
    config = frame_project.config()
    loader = config.train_dataloader
    loader.dataset = dict(type="RepeatDataset", times=2, dataset=loader.dataset)
    with pytest.raises(LabelRangeError, match="train2 has label 5"):
        frame_project.runner(config).train()


def test_classes_that_never_occur_are_reported(frame_project):
    records: list[str] = []
    config = frame_project.config(num_classes=5)
    runner = frame_project.runner(config)
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    MMLogger.get_current_instance().addHandler(handler)
    runner.train()
    expected = "num_classes = 5, but no training clip has label 3, 4 (2 unused)"
    assert [line for line in records if expected in line]


def test_classes_that_never_occur_can_be_refused(frame_project):
    config = frame_project.config(num_classes=5)
    config.custom_hooks[0].unused_classes = "raise"
    with pytest.raises(LabelRangeError, match="has label 3, 4"):
        frame_project.runner(config).train()
    with pytest.raises(ValueError, match="'warn' or 'raise', got 'ignore'"):
        DataGuardHook(unused_classes="ignore")


def test_missing_validation_clip_stops_training_before_the_first_step(project):
    project.write_list("val", [project.lines("val")[0].replace("val0", "val9")])
    with pytest.raises(MissingClipsError, match="val9"):
        project.runner(project.config()).train()


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (dict(width=64), r"backbone\..*: shape \(.*, the model's is \("),
        (dict(num_classes=4), r"cls_head.fc_cls.weight: shape \(3, 64\).*\(4, 64\)"),
    ],
    ids=["size", "classes"],
)
def test_a_checkpoint_of_another_model_is_not_scored(trained, changes, difference):
    config = trained.config(**changes)
    config.load_from = str(trained.work_dir / "epoch_1.pth")
    with pytest.raises(CheckpointMismatchError, match=difference) as caught:
        trained.runner(config).test()
    assert "epoch_1.pth does not fit" in str(caught.value)


def test_a_checkpoint_that_lacks_weights_is_not_scored(trained):
    path = trained.work_dir / "epoch_1.pth"
    checkpoint = torch.load(path, weights_only=False)
    checkpoint["state_dict"].pop("cls_head.fc_cls.bias")
    torch.save(checkpoint, path)
    config = trained.config()
    config.load_from = str(path)
    with pytest.raises(CheckpointMismatchError, match="cls_head.fc_cls.bias: missing"):
        trained.runner(config).test()


def test_a_fitting_checkpoint_is_scored(trained):
    config = trained.config()
    config.load_from = str(trained.work_dir / "epoch_1.pth")
    assert 0 <= trained.runner(config).test()["acc/top1"] <= 1


def test_fine_tuning_may_change_the_classes_but_not_the_size(trained):
    config = trained.config(num_classes=4)
    config.load_from = str(trained.work_dir / "epoch_1.pth")
    runner = trained.runner(config)
    runner.train()
    assert runner.iter == 3
    config = trained.config(width=64)
    config.load_from = str(trained.work_dir / "epoch_1.pth")
    with pytest.raises(CheckpointMismatchError):
        trained.runner(config).train()


def test_resuming_a_run_of_another_class_count_is_refused(trained):
    config = trained.config(num_classes=4)
    config.resume = True
    with pytest.raises(CheckpointMismatchError, match="cls_head.fc_cls.weight"):
        trained.runner(config).train()


def test_resuming_works(trained):
    config = trained.config()
    config.resume = True
    config.train_cfg.max_epochs = 2
    runner = trained.runner(config)
    runner.train()
    assert runner.iter == 6
    assert (trained.work_dir / "epoch_2.pth").exists()


def test_nothing_to_resume(frame_project):
    config = frame_project.config()
    config.resume = True
    with pytest.raises(FileNotFoundError, match="Nothing to resume.*last_checkpoint"):
        frame_project.runner(config).train()


def test_a_checkpoint_to_resume_that_is_gone(trained):
    (trained.work_dir / "epoch_1.pth").unlink()
    config = trained.config()
    config.resume = True
    with pytest.raises(FileNotFoundError, match="epoch_1.pth: no such file"):
        trained.runner(config).train()
