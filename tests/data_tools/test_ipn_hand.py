"""IPN Hand: its tool and configs on a miniature of the official layout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from lcr_runtime.video.writer import VideoWriter

ROOT = Path(__file__).parents[2]
HEADER = "video,label,id,t_start,t_end,frames\n"
TRAIN = (
    "1CM1_1_R_#217,D0X,1,1,20,20\n"
    "1CM1_1_R_#217,G05,8,21,90,70\n"
    "1CM1_1_R_#217,G05,8,91,150,60\n"
    "4CM11_8_R_#44,B0A,2,1,100,100\n"
    "4CM11_8_R_#44,G11,14,101,160,60\n"
)
TEST = "1CM42_5_L_#9,D0X,1,1,30,30\n1CM42_5_L_#9,G01,4,31,155,125\n"
FRAMES = 150


def run_tool(tool: str, *args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "tools" / tool, *args]
    return subprocess.run(
        [str(argument) for argument in command],
        capture_output=True,
        text=True,
        timeout=120,
    )


def convert(source: Path, out: Path, *args: str) -> subprocess.CompletedProcess:
    return run_tool("data/ipn_hand/convert.py", source, "--out", out, *args)


def pictures() -> list[np.ndarray]:
    """A square that walks to the right, 64 x 48."""
    frames = np.full((FRAMES, 48, 64, 3), 40, np.uint8)
    for number, frame in enumerate(frames):
        frame[16:32, number % 48 : number % 48 + 16] = 200
    return list(frames)


def write_frames(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(pictures(), 1):
        cv2.imwrite(str(folder / f"{folder.name}_{number:06}.jpg"), frame)


def write_video(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 30) as writer:
        for frame in pictures():
            writer.write(frame)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Frames of one video, the file of another, both of the one to test."""
    folder = tmp_path / "ipn"
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations" / "Annot_TrainList.txt").write_text(TRAIN)
    (folder / "annotations" / "Annot_TestList.txt").write_text(HEADER + TEST)
    write_frames(folder / "frames" / "1CM1_1_R_#217")
    write_video(folder / "videos" / "4CM11_8_R_#44.mp4")
    write_frames(folder / "frames" / "1CM42_5_L_#9")
    write_video(folder / "videos" / "1CM42_5_L_#9.mp4")
    return folder


def test_lists_and_timelines_say_what_the_annotations_say(source, tmp_path):
    out = tmp_path / "out"
    done = convert(source, out)
    assert done.returncode == 0, done.stderr
    assert "train: 2 videos, 4 gestures, 1 video files" in done.stdout
    assert (out / "train_isolated.txt").read_text().splitlines() == [
        "1CM1_1_R_#217 20 70 6",
        "1CM1_1_R_#217 90 60 6",
        "4CM11_8_R_#44 0 100 0",
        "4CM11_8_R_#44 100 50 12",  # the annotations run over the end
    ]
    timeline = json.loads((out / "test/timelines/1CM42_5_L_#9.json").read_text())
    assert timeline["num_frames"] == FRAMES and timeline["fps"] == 30
    (event,) = timeline["events"]
    assert event["name"] == "Click with one finger"
    assert (event["start_frame"], event["end_frame"]) == (30, 150)
    named = (out / "label_map.txt").read_text().splitlines()
    assert named == list(Config.fromfile(ROOT / "configs/lcr_ipn.py").classes)
    linked = (out / "frames/1CM42_5_L_#9/00007.jpg").read_bytes()
    official = source / "frames/1CM42_5_L_#9/1CM42_5_L_#9_000007.jpg"
    assert linked == official.read_bytes()
    taken = cv2.imread(str(out / "frames/4CM11_8_R_#44/00150.jpg"))
    assert taken.shape == (240, 320, 3)
    again = convert(source, out)
    assert again.returncode == 0 and again.stdout == done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1CM1_1_R_#217,G05,9,151,152,2", "G05 is not class 9"),
        ("1CM1_1_R_#217,G05,8,151,152,3", "3 frames from 151 to 152"),
        ("1CM1_1_R_#217,G05,8,100,152,53", "begins before the last one ends"),
        ("1CM1_1_R_#217,G05,8,101", "not enough values"),
    ],
)
def test_wrong_lines_are_named(source, tmp_path, line, said):
    path = source / "annotations" / "Annot_TrainList.txt"
    text = TRAIN.splitlines()
    path.write_text("\n".join([*text[:3], line, *text[3:]]))
    done = convert(source, tmp_path / "out")
    assert done.returncode == 1
    assert "line 4" in done.stderr and said in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_not_whole_is_named_and_not_listed(source, tmp_path):
    (source / "frames/1CM1_1_R_#217/1CM1_1_R_#217_000077.jpg").unlink()
    (source / "videos/4CM11_8_R_#44.mp4").unlink()
    done = convert(source, tmp_path / "out")
    assert done.returncode == 1
    assert "1CM1_1_R_#217_000077.jpg is missing" in done.stderr
    assert "4CM11_8_R_#44: neither frames nor a video file" in done.stderr
    assert not (tmp_path / "out" / "label_map.txt").exists()
    done = convert(source, source / "out")
    assert done.returncode == 2 and "choose a folder beside" in done.stderr


def small(name: str, work_dir: Path) -> Config:
    """A config with a tiny model and small pictures."""
    config = Config.fromfile(ROOT / "configs" / f"{name}.py")
    config.work_dir = str(work_dir)
    config.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=2), img_size=32
    )
    config.model.cls_head.in_channels = 32
    for split in ("train", "val", "test"):
        loader = config[f"{split}_dataloader"]
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    pipelines = [config[f"{x}_dataloader"].dataset.pipeline for x in ("train", "val")]
    for pipeline in (*pipelines, config.test_dataloader.dataset.pipeline):
        for step in pipeline:
            if step.type == "Resize":
                step.scale = (32, 32)
    config.test_pipeline = config.val_pipeline = config.test_dataloader.dataset.pipeline
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.env_cfg.dist_cfg.backend = "gloo"
    config.vis_backends = config.visualizer.vis_backends = []
    config.experiment_name = work_dir.name
    return config


def test_configs_train_and_are_scored(source, tmp_path, monkeypatch):
    root = tmp_path / "data"
    assert convert(source, root).returncode == 0
    monkeypatch.setenv("IPN_ROOT", str(root))
    single = Runner.from_cfg(small("lcr_ipn", tmp_path / "single"))
    single.train()
    assert single.iter == 2
    config = small("lcr_ipn_stream", tmp_path / "stream")
    config.load_from = str(tmp_path / "single" / "epoch_1.pth")
    stream = Runner.from_cfg(config)
    stream.train()
    assert 0 <= stream.test()["acc/top1"] <= 1
    config.dump(tmp_path / "stream.py")
    scored = run_tool(
        "streaming/evaluate.py",
        *(tmp_path / "stream.py", tmp_path / "stream" / "epoch_1.pth"),
        *("--streams", root / "test"),
    )
    assert scored.returncode == 0, scored.stderr
    assert "Levenshtein" in scored.stdout
