"""Two processes train and test as one does, and end together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from long_run import processes_marked, wait_until
from mmengine.config import Config
from mmengine.dist import all_reduce, is_main_process
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.runner import Runner
from resumable_project import CLIPS, arguments, environment, make_project

RANKS, BATCH = 2, 4
# Odd, so that a process has a clip twice.
TESTED = CLIPS - 1


class Losses(Hook):
    """Keeps the loss of every step, over all processes."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = outputs["loss"].detach().clone()
        all_reduce(loss, op="mean")
        self.values.append(loss.item())


def run(config: Path, work_dir: Path, batch_size: int, launcher: str) -> None:
    cfg = Config.fromfile(config, import_custom_modules=False)
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != "Killer"]
    cfg.custom_imports = None
    cfg.work_dir, cfg.launcher, cfg.log_level = str(work_dir), launcher, "ERROR"
    cfg.experiment_name = work_dir.name
    cfg.env_cfg.dist_cfg.backend = "gloo"
    # What each process draws for its own samples would differ.
    cfg.model.backbone.drop_path_rate = cfg.model.cls_head.dropout_ratio = 0.0
    cfg.train_cfg.max_epochs = 2
    cfg.train_dataloader.batch_size = batch_size
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.val_dataloader.dataset.ann_file = f"{cfg.root}/odd.txt"
    dump = dict(type="DumpResults", out_file_path=str(work_dir / "predictions.pkl"))
    cfg.val_evaluator = [cfg.val_evaluator, dump]
    runner = Runner.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    if is_main_process():
        torch.save(losses.values, work_dir / "losses.pt")


def run_rank(rank: int, port: int, config: Path, work_dir: Path) -> None:
    place = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=RANKS, MASTER_PORT=port)
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    # MMEngine's evaluator leaves a folder where it runs.
    os.chdir(config.parent)
    run(config, work_dir, BATCH // RANKS, "pytorch")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of equal runs by one process and by two."""
    folder = tmp_path_factory.mktemp("processes")
    config = make_project(folder / "project")
    lines = (config.parent / "list.txt").read_text().splitlines(keepends=True)
    (config.parent / "odd.txt").write_text("".join(lines[:TESTED]))
    run(config, folder / "one", BATCH, "none")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lcr_mmaction", "mmengine.runner", __name__])
    port = free_port()
    ranks = [
        context.Process(target=run_rank, args=(rank, port, config, folder / "two"))
        for rank in range(RANKS)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
        assert process.exitcode == 0
    return folder / "one", folder / "two"


def saved(work_dir: Path) -> dict[str, Any]:
    last = (work_dir / "last_checkpoint").read_text()
    return torch.load(last, weights_only=False)


def test_two_processes_have_the_losses_and_weights_of_one(
    runs: tuple[Path, Path],
) -> None:
    one, two = (torch.load(folder / "losses.pt") for folder in runs)
    assert len(one) == 8
    torch.testing.assert_close(two, one, rtol=1e-5, atol=0)
    first, second = map(saved, runs)
    for name in ("state_dict", "ema_state_dict"):
        torch.testing.assert_close(second[name], first[name], rtol=1e-4, atol=1e-5)
    assert "backbone.frame_embed.norms.0.running_var" in first["state_dict"]


def test_every_clip_is_tested_once_whatever_the_number(
    runs: tuple[Path, Path],
) -> None:
    one, two = (load(folder / "predictions.pkl") for folder in runs)
    assert len(one) == len(two) == TESTED
    for mine, other in zip(one, two, strict=True):
        assert int(mine["gt_label"]) == int(other["gt_label"])
        torch.testing.assert_close(other["pred_score"], mine["pred_score"])
    first, second = (saved(folder)["message_hub"]["log_scalars"] for folder in runs)
    for name in ("acc/top1", "acc/top5", "acc/mean1"):
        key = next(key for key in first if key.endswith(name))
        assert first[key].data[0] == second[key].data[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_killed_process_ends_the_run_with_its_name(tmp_path: Path) -> None:
    config = make_project(tmp_path / "project")
    mark, log = f"LCR_TEST_RUN={tmp_path}", tmp_path / "log.txt"
    train = arguments(config, tmp_path / "work", "--launcher", "pytorch")
    endless = ["--cfg-options", "train_cfg.max_epochs=100000"]
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run"]
    with open(log, "w") as file:
        run = subprocess.Popen(
            [*launcher, "--standalone", f"--nproc_per_node={RANKS}", *train, *endless],
            cwd=config.parent,
            env=environment(config.parent) | dict([mark.split("=")]),
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: "[2][1/" in log.read_text(), log)
        # The launcher, two ranks and the workers of both.
        assert len(processes_marked(mark)) == 1 + RANKS * 3
        ranks = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        victim = int(ranks[1])
        os.kill(victim, signal.SIGKILL)
        assert run.wait(120) == 1
        wait_until(lambda: not processes_marked(mark), log)
    finally:
        for process in processes_marked(mark):
            os.kill(process, signal.SIGKILL)
    assert f"Signal 9 (SIGKILL) received by PID {victim}" in log.read_text()
