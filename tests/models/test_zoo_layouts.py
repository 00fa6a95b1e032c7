"""The configs of Something-Something V2 and Kinetics-400 on miniatures of their layout.

Encoded clips and list files as MMAction2's own tools lay them out. Models are cut down
and pictures made smaller; all else of the pipelines is the configs'.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from lcr_mmaction.hooks.checkpoint_guard import CheckpointMismatchError
from lcr_mmaction.models import LCRBackbone

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = (
    "lcr_sthv2",
    "lcr_sthv2_rawframes",
    "lcr_sthv2_vrwkv",
    "lcr_k400",
    "lcr_k400_rawframes",
    "lcr_k400_vrwkv",
)
SMALL = dict(embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=2)
SMALL_IMAGE_MODEL = dict(
    version=4, embed_dims=16, num_heads=2, layer_scale=None, num_layers=2
)


def write_video(path: Path, size: tuple[int, int], frames: int, rate: int) -> None:
    """Encode noise as VP8 in WebM or MPEG-4 in MP4, by the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    codec = "libvpx" if path.suffix == ".webm" else "mpeg4"
    rng = np.random.default_rng(frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(frames):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_frames(folder: Path, size: tuple[int, int], frames: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(frames)
    for i in range(1, frames + 1):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"img_{i:05}.jpg"), image)


@pytest.fixture(scope="module")
def sthv2(tmp_path_factory) -> Path:
    """Something-Something V2: WebM of 12 frames a second, one folder."""
    root = tmp_path_factory.mktemp("data") / "sthv2"
    clips = {
        "train": {"78687": (13, 20), "42326": (93, 31)},
        "val": {"74225": (173, 26)},
    }
    for split, members in clips.items():
        videos, rawframes = [], []
        for name, (label, frames) in members.items():
            write_video(root / "videos" / f"{name}.webm", (60, 80), frames, 12)
            write_frames(root / "rawframes" / name, (60, 80), frames)
            videos.append(f"{name}.webm {label}")
            rawframes.append(f"{name} {frames} {label}")
        for kind, lines in (("videos", videos), ("rawframes", rawframes)):
            text = "\n".join(lines) + "\n"
            (root / f"sthv2_{split}_list_{kind}.txt").write_text(text)
    return root


@pytest.fixture(scope="module")
def kinetics400(tmp_path_factory) -> Path:
    """Kinetics-400: MP4 of several sizes, rates and lengths, a folder a class."""
    root = tmp_path_factory.mktemp("data") / "kinetics400"
    clips = {
        "train": {
            "abseiling/0wR5jVB-WPk_000417_000427": (0, (90, 68), 75),
            "zumba/x_-1aBcD_000003_000013": (399, (64, 96), 40),
        },
        "val": {"air_drumming/zz9_000001_000011": (1, (72, 72), 90)},
    }
    for split, members in clips.items():
        videos, rawframes = [], []
        for name, (label, size, frames) in members.items():
            path = root / f"videos_{split}" / f"{name}.mp4"
            write_video(path, size, frames, 25 + label % 6)
            write_frames(root / f"rawframes_{split}" / name, size, frames)
            videos.append(f"{name}.mp4 {label}")
            rawframes.append(f"{name} {frames} {label}")
        for kind, lines in (("videos", videos), ("rawframes", rawframes)):
            text = "\n".join(lines) + "\n"
            (root / f"kinetics400_{split}_list_{kind}.txt").write_text(text)
    return root


def shrink(pipeline: list) -> None:
    """Make 64 pixels of what is 224."""
    for step in pipeline:
        if "crop_size" in step:
            step.crop_size = step.crop_size * 2 // 7
        if "scale" in step:
            step.scale = tuple(max(side * 2 // 7, -1) for side in step.scale)


@pytest.fixture
def small_config(sthv2, kinetics400, tmp_path, monkeypatch):
    """Read a config, its data being the miniatures and its model cut down."""
    monkeypatch.setenv("STHV2_ROOT", str(sthv2))
    monkeypatch.setenv("KINETICS400_ROOT", str(kinetics400))
    monkeypatch.setenv("VRWKV_CHECKPOINT", str(tmp_path / "start.pth"))

    def read(name: str) -> Config:
        config = Config.fromfile(CONFIGS / f"{name}.py")
        config.work_dir = str(tmp_path / "run")
        config.model.backbone.arch = (
            SMALL_IMAGE_MODEL if name.endswith("_vrwkv") else SMALL
        )
        config.model.cls_head.in_channels = 32
        for split in ("train", "val", "test"):
            loader = config[f"{split}_dataloader"]
            shrink(loader.dataset.pipeline)
            loader.update(num_workers=0, persistent_workers=False, batch_size=1)
        config.train_cfg.update(max_epochs=1, val_interval=1)
        config.env_cfg.dist_cfg.backend = "gloo"
        config.vis_backends = config.visualizer.vis_backends = []
        config.experiment_name = tmp_path.name
        return config

    return read


def write_start(path: str | Path, arch: dict) -> None:
    backbone = LCRBackbone(arch=arch).state_dict()
    weights = {f"backbone.{name}": value for name, value in backbone.items()}
    weights |= {"cls_head.fc_cls.weight": torch.zeros(1000, 16)}
    torch.save({"state_dict": weights}, path)


@pytest.mark.parametrize("name", NAMES)
def test_config_trains_and_tests_on_its_layout(small_config, name):
    config = small_config(name)
    if config.load_from:
        write_start(config.load_from, SMALL_IMAGE_MODEL)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    seen = []
    runner.model.backbone.register_forward_pre_hook(
        lambda module, inputs: seen.append(tuple(inputs[0].shape))
    )
    metrics = runner.test()
    assert 0 <= metrics["acc/top1"] <= 1
    assert seen == [(30 if "k400" in name else 3, 4, 16, 64, 64)]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("lcr_sthv2", "sthv2/videos/74225.webm"),
        ("lcr_k400", "kinetics400/videos_val/air_drumming/zz9_000001_000011.mp4"),
    ],
)
def test_config_runs_in_the_inferencer(small_config, request, name, clip):
    config = small_config(name)
    shrink(config.test_pipeline)
    folder, rest = clip.split("/", 1)
    init_default_scope("mmaction")
    model = MODELS.build(config.model).eval()
    model.cfg = config
    result = inference_recognizer(model, str(request.getfixturevalue(folder) / rest))
    assert result.pred_score.shape == (config.model.cls_head.num_classes,)
    assert result.pred_score.sum().item() == pytest.approx(1, abs=1e-4)


def test_a_start_of_another_model_is_refused_by_name(small_config):
    config = small_config("lcr_sthv2_vrwkv")
    write_start(config.load_from, SMALL_IMAGE_MODEL | dict(version=6))
    with pytest.raises(CheckpointMismatchError, match=r"spatial_mix\.\w+"):
        Runner.from_cfg(config).train()


def test_a_mirror_swaps_what_is_left_and_right():
    config = Config.fromfile(CONFIGS / "lcr_sthv2.py")
    (flip,) = [step for step in config.train_pipeline if step.type == "Flip"]
    # Pulling, pushing, and turning the camera; MMAction2's own list numbers them so.
    assert flip.flip_label_map == {
        86: 87,
        87: 86,
        93: 94,
        94: 93,
        166: 167,
        167: 166,
    }
