"""Runs that are killed and resumed end bit for bit as those that are not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from resumable_project import differences, final_state, make_project, train

from lcr_mmaction.hooks import atomic_checkpoint

# Every sixth of 20 iterations, of which an epoch has 5; data read in the process.
IN_THE_MIDDLE = """
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(by_epoch=False, interval=6, max_keep_ckpts=2))
train_dataloader = dict(
    batch_size=3, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **data))
"""


@pytest.mark.parametrize(
    ("changes", "kills"),
    [("", ["save 3", "iter 17", "val 1"]), (IN_THE_MIDDLE, ["iter 14"])],
    ids=["epochs", "iterations"],
)
def test_a_killed_run_ends_like_a_whole_one(
    tmp_path: Path, changes: str, kills: list[str]
) -> None:
    config = make_project(tmp_path / "project", changes)
    train(config, tmp_path / "whole")
    killed = tmp_path / "killed"
    resume = []
    for kill in kills:
        train(config, killed, *resume, kill=kill)
        # What can be seen of a checkpoint is whole.
        for path in killed.glob("*.pth"):
            torch.load(path, weights_only=False)
        resume = ["--resume"]
    train(config, killed, *resume)
    assert not differences(final_state(tmp_path / "whole"), final_state(killed))
    assert not list(killed.glob("*unfinished*"))


def runner_of(config: Path, work_dir: Path, **changes: object) -> Runner:
    cfg = Config.fromfile(config, import_custom_modules=False)
    cfg.work_dir = str(work_dir)
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != "Killer"]
    cfg.custom_imports = None
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.log_level = "ERROR"
    cfg.experiment_name = f"{work_dir.parent.name}_{work_dir.name}_{id(cfg)}"
    cfg.merge_from_dict(changes)
    return Runner.from_cfg(cfg)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def fill_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if name in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("name", ["epoch_2", "last_checkpoint", "best"])
def test_a_full_disk_is_an_error_that_loses_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    work_dir = tmp_path / "work"
    changes = {
        "train_cfg.max_epochs": 1,
        "train_cfg.val_interval": 1,
        "default_hooks.checkpoint.max_keep_ckpts": 1,
    }
    runner_of(project, work_dir, **changes).train()
    saved = [*work_dir.glob("*.pth"), work_dir / "last_checkpoint"]
    before = {path: path.read_bytes() for path in saved}
    assert {path.name for path in before} >= {"epoch_1.pth", "last_checkpoint"}
    fill_disk(monkeypatch, name)
    changes["train_cfg.max_epochs"] = 2
    # A better score, so that the best checkpoint is saved once more.
    runner = runner_of(project, work_dir, resume=True, **changes)
    runner.register_hook(ForgetBest(), priority="LOWEST")
    with pytest.raises(OSError, match=f"No space left.*untouched.*{name}") as caught:
        runner.train()
    assert caught.value.errno == errno.ENOSPC
    # By the time of the best checkpoint, epoch 2 has taken the place of epoch 1.
    kept = [path for path in before if name != "best" or "best" in path.name]
    assert kept and all(path.read_bytes() == before[path] for path in kept)
    last = Path((work_dir / "last_checkpoint").read_text())
    assert torch.load(last, weights_only=False)["meta"]["epoch"] in (1, 2)
    assert not list(work_dir.glob("*unfinished*"))


class ForgetBest(atomic_checkpoint.CheckpointHook):
    def __init__(self) -> None:
        super().__init__(interval=-1, save_last=False)

    def before_train(self, runner: Runner) -> None:
        runner.message_hub.update_info("best_score", -1.0)


def test_augmentations_differ_between_epochs_but_not_between_workers(
    project: Path, tmp_path: Path
) -> None:
    seen = {}
    for workers in (0, 1, 2):
        runner = runner_of(
            project,
            tmp_path / f"{workers}",
            **{
                "train_dataloader.num_workers": workers,
                "train_cfg.max_epochs": 2,
                "val_cfg": None,
                "val_dataloader": None,
                "val_evaluator": None,
            },
        )
        watch = Watch()
        runner.register_hook(watch)
        runner.train()
        seen[workers] = watch.sums
    assert seen[0] == seen[1] == seen[2]
    first, second = sorted(seen[1][:5]), sorted(seen[1][5:])
    assert not set(first) & set(second), "an epoch repeats another's augmentations"


class Watch(ForgetBest):
    def __init__(self) -> None:
        super().__init__()
        self.sums: list[float] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.sums += [float(clip.double().mean()) for clip in data_batch["inputs"]]


def test_the_middle_of_an_epoch_needs_the_same_batches(
    project: Path, tmp_path: Path
) -> None:
    changes = {
        "default_hooks.checkpoint.by_epoch": False,
        "default_hooks.checkpoint.interval": 3,
        "default_hooks.checkpoint.save_last": False,
        "train_cfg.max_epochs": 1,
    }
    runner_of(project, tmp_path / "work", **changes).train()
    saved = str(tmp_path / "work" / "iter_3.pth")
    changes |= {"train_dataloader.batch_size": 2, "resume": True, "load_from": saved}
    with pytest.raises(RuntimeError, match="it had 5 batches, and has 7 now"):
        runner_of(project, tmp_path / "work", **changes).train()
