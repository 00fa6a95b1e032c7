"""A small LCR config, lively random weights and real video files."""

from __future__ import annotations

import time

import cv2
import numpy as np
import torch

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2.0)


def lively(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every parameter and statistic a random part, so that none is idle."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * 0.2)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
    return module.eval()


CONFIG = """
custom_imports = dict(imports=['lcr_mmaction'], allow_failed_imports=False)
default_scope = 'mmaction'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='LCRBackbone',
        arch=dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2.0),
        img_size=32,
        patch_size=8,
    ),
    cls_head=dict(
        type='LCRHead', num_classes=4, in_channels=32, average_clips='prob'
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53, 0],
        std=[58.395, 57.12, 57.375, 255],
        format_shape='NCTHW',
    ),
)
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 40)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='EdgeExtract'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
streaming = dict(fps=10, labels=['Left', 'Right', 'No gesture', 'Doing other things'])
"""


def moving_square(num_frames: int, height: int = 60, width: int = 100) -> list:
    """BGR frames of a bright square on a coloured ground, going right."""
    frames = []
    for t in range(num_frames):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = (150, 90, 30)
        left = (25 + 3 * t) % (width - 20)
        frame[20:40, left : left + 20] = (40, 200, 250)
        frames.append(frame)
    return frames


def write_video(path, frames, fps: float = 10.0) -> str:
    height, width = frames[0].shape[:2]
    fourcc = cv2.VideoWriter_fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, fps, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return str(path)


class Camera:
    """A capture device in memory: frames at a pace, then failure."""

    def __init__(self, frames, pace=0.0, opens=True):
        self.frames, self.pace, self.opens = list(frames), pace, opens
        self.released = False

    def isOpened(self):  # noqa: N802
        return self.opens and not self.released

    def read(self):
        time.sleep(self.pace)
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self):
        self.released = True


def numbered(count, first=0):
    return [np.full((4, 4, 3), first + i, np.uint8) for i in range(count)]


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.002)
