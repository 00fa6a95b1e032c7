"""Small real data sets and a small model, to be spoilt one way per test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import mmaction
import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

import lcr_mmaction

NUM_CLASSES = 3
CLIPS = 6
FRAMES = 8


def moving_square(step: int, label: int, size: int = 32) -> np.ndarray:
    """One RGB frame; the label says where the square moves."""
    frame = np.full((size, size, 3), 30 + 10 * label, np.uint8)
    row, col = ((4, step), (step, 4), (step, step))[label % 3]
    frame[2 + row : 12 + row, 2 + col : 12 + col] = (220, 180, 90)
    return frame


def write_video(path: Path, label: int = 0, num_frames: int = FRAMES) -> None:
    """Encode an H.264 video of 64 x 64 pixels with its index at the front."""
    options = {"movflags": "faststart"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for step in range(num_frames):
            picture = moving_square(2 * step, label, 64)
            picture = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


class Project:
    """A folder with training and validation clips, their lists and a config.

    Clips and lists are made unless the folder has them.
    """

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.kind = root, kind
        self.work_dir = root / "work_dir"
        if not (root / "train.txt").exists():
            self.add_clips("train", CLIPS)
            self.add_clips("val", NUM_CLASSES)

    def add_clips(self, split: str, count: int) -> None:
        """Write clips and their list."""
        lines = []
        for index in range(count):
            label = index % NUM_CLASSES
            if self.kind == "video":
                name = f"{split}{index}.mp4"
                write_video(self.root / name, label)
                lines.append(f"{name} {label}")
            else:
                name = f"{split}{index}"
                (self.root / name).mkdir()
                for step in range(FRAMES):
                    cv2.imwrite(
                        str(self.root / name / f"{step + 1:05}.jpg"),
                        moving_square(step, label),
                    )
                lines.append(f"{name} {FRAMES} {label}")
        self.write_list(split, lines)

    def lines(self, split: str) -> list[str]:
        """Return the lines of a list file."""
        return (self.root / f"{split}.txt").read_text().splitlines()

    def write_list(self, split: str, lines: list[str]) -> None:
        """Write a list file."""
        (self.root / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines))

    def dataset(self, split: str, **changes) -> dict:
        """Return a dataset's config."""
        test_mode = split != "train"
        decode = [dict(type="RawFrameDecode")]
        sample = [
            dict(type="SampleFrames", clip_len=4, num_clips=1, test_mode=test_mode)
        ]
        common = dict(
            data_root=str(self.root), ann_file=f"{split}.txt", test_mode=test_mode
        )
        if self.kind == "video":
            common |= dict(type="CheckedVideoDataset", data_prefix=dict(video=""))
            reading = [dict(type="VideoInit"), *sample, dict(type="VideoDecode")]
        else:
            common |= dict(
                type="CheckedRawframeDataset",
                data_prefix=dict(img=""),
                filename_tmpl="{:05}.jpg",
            )
            reading = [*sample, *decode]
        pipeline = [
            *reading,
            dict(type="Resize", scale=(32, 32), keep_ratio=False),
            dict(type="EdgeExtract"),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs"),
        ]
        return common | dict(pipeline=pipeline) | changes

    def config(self, num_classes: int = NUM_CLASSES, width: int = 32) -> Config:
        """Return a whole training config of a very small model."""
        loaders = {
            split: dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type="DefaultSampler", shuffle=split == "train"),
                dataset=self.dataset(split),
            )
            for split in ("train", "val")
        }
        return Config(
            dict(
                custom_imports=dict(
                    imports=["lcr_mmaction"], allow_failed_imports=False
                ),
                default_scope="mmaction",
                model=dict(
                    type="Recognizer3D",
                    backbone=dict(
                        type="LCRBackbone",
                        arch=dict(
                            embed_dims=width, num_layers=1, num_heads=1, mlp_ratio=1.0
                        ),
                        img_size=32,
                    ),
                    cls_head=dict(
                        type="LCRHead",
                        num_classes=num_classes,
                        in_channels=2 * width,
                        average_clips="prob",
                    ),
                    data_preprocessor=dict(
                        type="ActionDataPreprocessor",
                        mean=[123.675, 116.28, 103.53, 0],
                        std=[58.395, 57.12, 57.375, 255],
                        format_shape="NCTHW",
                    ),
                ),
                train_dataloader=loaders["train"],
                val_dataloader=loaders["val"],
                test_dataloader=loaders["val"],
                val_evaluator=dict(type="AccMetric"),
                test_evaluator=dict(type="AccMetric"),
                train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=1),
                val_cfg=dict(type="ValLoop"),
                test_cfg=dict(type="TestLoop"),
                optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.01)),
                default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
                custom_hooks=[
                    dict(type="DataGuardHook"),
                    dict(type="CheckpointGuardHook"),
                ],
                work_dir=str(self.work_dir),
                log_level="WARNING",
            )
        )

    def runner(self, config: Config) -> Runner:
        """Build a runner that no other test's runner shares a log with."""
        config.experiment_name = f"{self.root.name}_{id(config)}"
        return Runner.from_cfg(config)

    def stock_tool(self, name: str, config: Config, *args: str):
        """Run one of MMAction2's own scripts on a config, from another folder."""
        path = self.root / "config.py"
        config.dump(path)
        script = Path(mmaction.__file__).parent / ".mim" / "tools" / f"{name}.py"
        package_root = str(Path(lcr_mmaction.__file__).parents[1])
        return subprocess.run(
            [sys.executable, str(script), str(path), *args],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": package_root},
            capture_output=True,
            text=True,
            timeout=600,
        )
