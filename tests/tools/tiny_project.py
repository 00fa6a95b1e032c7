"""A project of the smallest kind: encoded clips, list files and a config of LCR."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

CLASSES = ("left", "right", "still")
SIDE, FRAMES = 32, 6

CONFIG = """
custom_imports = dict(imports=['lcr_mmaction'], allow_failed_imports=False)
default_scope = 'mmaction'
root = {root!r}

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='LCRBackbone',
        arch=dict(embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=2),
        img_size=32,
        patch_size=8),
    cls_head=dict(
        type='LCRHead', num_classes=3, in_channels=32, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53, 0],
        std=[58.395, 57.12, 57.375, 255],
        format_shape='NCTHW'))

test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1,
         test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='EdgeExtract'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')]
train_pipeline = test_pipeline

def_dataset = dict(
    type='VideoDataset',
    data_prefix=dict(video=root),
    metainfo=dict(classes=('left', 'right', 'still')))
train_dataloader = dict(
    batch_size=3, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file=root + '/train.txt', pipeline=train_pipeline, **def_dataset))
val_dataloader = dict(
    batch_size=3, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=root + '/val.txt', pipeline=test_pipeline, test_mode=True,
        **def_dataset))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='AccMetric')

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1,
         convert_to_iter_based=True)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='auto'))
custom_hooks = [dict(type='EMAHook', momentum=0.01)]
randomness = dict(seed=0)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
"""


def write_clip(path: Path, label: int, seed: int) -> None:
    """Encode a bright square that moves left, moves right or stands still."""
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIDE, SIDE)
    )
    assert writer.isOpened()
    step = (-3, 3, 0)[label]
    x, y = 12 - step * 2, int(rng.integers(4, 20))
    for index in range(FRAMES):
        frame = rng.integers(0, 40, (SIDE, SIDE, 3), dtype=np.uint8)
        left = max(0, x + step * index)
        frame[y : y + 8, left : left + 8] = 220
        writer.write(frame)
    writer.release()


def make_project(root: Path) -> Path:
    """Write clips, list files and a config; return the config's path."""
    for split, copies in (("train", 2), ("val", 1)):
        lines = []
        for label in range(len(CLASSES)):
            for copy in range(copies):
                name = f"{split}_{label}_{copy}.mp4"
                write_clip(root / name, label, seed=10 * label + copy)
                lines.append(f"{name} {label}")
        (root / f"{split}.txt").write_text("\n".join(lines) + "\n")
    (root / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    config = root / "tiny.py"
    config.write_text(CONFIG.format(root=str(root)))
    return config
