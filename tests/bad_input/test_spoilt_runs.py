"""The same faults through MMAction2's own scripts, as a user meets them."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.slow


def test_train_skips_a_damaged_clip_then_test_refuses_another_model(
    video_project, clip_file
):
    path = clip_file(video_project, 4)
    path.write_bytes(path.read_bytes()[:900])
    config = video_project.config()
    config.log_level = "INFO"
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.num_workers = 1
    run = video_project.stock_tool("train", config)
    output = run.stdout + run.stderr
    assert run.returncode == 0, output
    assert re.search(r"Skipping damaged clip .*train4\.mp4: .*1 so far", output)
    checkpoint = str(video_project.work_dir / "epoch_1.pth")

    run = video_project.stock_tool("test", config, checkpoint)
    assert run.returncode == 0, run.stderr
    assert "acc/top1" in run.stdout + run.stderr

    run = video_project.stock_tool("test", video_project.config(4), checkpoint)
    assert run.returncode != 0
    last = run.stderr.strip()
    assert "CheckpointMismatchError" in last and "epoch_1.pth does not fit" in last
    assert "acc/top1" not in run.stdout + run.stderr


def test_resume_with_nothing_to_resume(frame_project):
    run = frame_project.stock_tool("train", frame_project.config(), "--resume")
    assert run.returncode != 0
    assert "Nothing to resume" in run.stderr
    assert not list(frame_project.work_dir.glob("*.pth"))
