"""A tiny run in which everything is random, and a hook that kills it."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import lcr_mmaction
from lcr_mmaction.upstream.doors import stock_script

ROOT = Path(lcr_mmaction.__file__).resolve().parents[1]
CLIPS, FRAMES, SIDE, CLASSES = 14, 6, 16, 3

CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['lcr_mmaction', 'killer'], allow_failed_imports=False)
root = {root!r}
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='LCRBackbone', img_size=16, patch_size=8, drop_path_rate=0.3,
        arch=dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=1)),
    cls_head=dict(
        type='LCRHead', num_classes=3, in_channels=32, dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[110, 110, 110, 0],
        std=[60, 60, 60, 255], format_shape='NCTHW'))
train_pipeline = [
    dict(type='SampleFrames', clip_len=3, num_clips=1),
    dict(type='RawFrameDecode'),
    dict(type='RandomResizedCrop', area_range=(0.3, 1.0)),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='EdgeExtract'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')]
val_pipeline = [
    dict(type='SampleFrames', clip_len=3, num_clips=1, test_mode=True),
    dict(type='RawFrameDecode'),
    *train_pipeline[3:4], *train_pipeline[5:]]
data = dict(
    type='CheckedRawframeDataset', data_prefix=dict(img=root),
    filename_tmpl='{{:05}}.jpg', ann_file=root + '/list.txt')
train_dataloader = dict(
    batch_size=3, num_workers=2, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **data))
val_dataloader = dict(
    batch_size=7, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=val_pipeline, test_mode=True, **data))
val_evaluator = dict(type='AccMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=2)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3), clip_grad=dict(
        max_norm=1), accumulative_counts=2)
param_scheduler = [dict(
    type='CosineAnnealingLR', T_max=4, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(max_keep_ckpts=2))
randomness = dict(seed=3)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(vis_backends=vis_backends)
"""

# KILL names when the process kills itself: "iter 7", "val 1" (before its first
# validation), "save 3" (in the middle of the third checkpoint), "rename 3" (whole on
# disk, but not yet by its name).
KILLER = """
import os, signal
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

KIND, WHEN = os.environ.get('KILL', 'never 0').split()

def dies(*args):
    os.kill(os.getpid(), signal.SIGKILL)

@HOOKS.register_module()
class Killer(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if KIND == 'iter' and runner.iter == int(WHEN):
            dies()

    def before_val(self, runner):
        if KIND == 'val':
            dies()

if KIND in ('save', 'rename'):
    real, seen = os.fsync, []
    def fsync(handle):
        if os.path.basename(os.readlink(f'/proc/self/fd/{handle}')).count('.pth'):
            seen.append(handle)
            if len(seen) == int(WHEN):
                if KIND == 'save':
                    os.truncate(handle, os.fstat(handle).st_size // 2)
                dies()
        real(handle)
    os.fsync = fsync
"""


def make_project(root: Path, changes: str = "") -> Path:
    """Write clips, a list and a config; return the config's path."""
    rng = np.random.default_rng(0)
    lines = []
    for clip in range(CLIPS):
        folder = root / f"clip{clip}"
        folder.mkdir(parents=True)
        for frame in range(1, FRAMES + 1):
            picture = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
            cv2.imwrite(str(folder / f"{frame:05}.jpg"), picture)
        lines.append(f"clip{clip} {FRAMES} {clip % CLASSES}\n")
    (root / "list.txt").write_text("".join(lines))
    (root / "killer.py").write_text(KILLER)
    base = str(ROOT / "configs" / "_base_" / "default_runtime.py")
    config = root / "run.py"
    text = CONFIG.format(base=base, root=str(root)) + changes
    text += "\ncustom_hooks = [*_base_.custom_hooks, dict(type='Killer')]\n"
    config.write_text(text)
    return config


def arguments(config: Path, work_dir: Path, *args: str) -> list[str]:
    """Return the command line of MMAction2's own train.py."""
    return [
        str(stock_script("train.py")),
        str(config),
        "--work-dir",
        str(work_dir),
        *args,
    ]


def environment(project: Path) -> dict[str, str]:
    """Return the environment of a process that trains the project."""
    places = os.pathsep.join([str(ROOT), str(project)])
    return os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"}


def _run(command: list[str], project: Path, log: Path, kill: str) -> None:
    os.environ["KILL"] = kill
    sys.path.insert(0, str(project))
    sys.argv = command
    with open(log, "ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    runpy.run_path(command[0], run_name="__main__")


def train(config: Path, work_dir: Path, *args: str, kill: str = "never 0") -> None:
    """Train to the end, or to its death if that is asked for, in another process.

    The processes are forks of one that has imported what all need, which saves time.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lcr_mmaction", "mmengine.runner", __name__])
    log = work_dir.with_suffix(".log")
    command = arguments(config, work_dir, *args)
    process = context.Process(target=_run, args=(command, config.parent, log, kill))
    process.start()
    process.join(300)
    expected = 0 if kill == "never 0" else -signal.SIGKILL
    assert process.exitcode == expected, log.read_text()[-4000:]


def final_state(work_dir: Path) -> dict[str, Any]:
    """All of the last checkpoint that is not a time of day or a name."""
    last = Path((work_dir / "last_checkpoint").read_text())
    checkpoint = torch.load(last, weights_only=False)
    hub = checkpoint["message_hub"]
    logs = {
        name: scalar.data
        for name, scalar in hub["log_scalars"].items()
        if not name.endswith("time") and "memory" not in name
    }
    kept = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    found = {name: checkpoint[name] for name in kept}
    best = {
        name: hub["runtime_info"].get(name)
        for name in ("best_score", "epoch", "iter", "keep_ckpt_ids")
    }
    files = sorted(path.name for path in work_dir.glob("*.pth"))
    place = {name: checkpoint["meta"][name] for name in ("epoch", "iter")}
    return found | dict(logs=logs, best=best, files=files, place=place)


def differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Name what differs, bit for bit, between two nested values."""
    if isinstance(one, dict) and isinstance(other, dict):
        missing = [f"{name}.{key}" for key in one.keys() ^ other.keys()]
        return missing + [
            line
            for key in one.keys() & other.keys()
            for line in differences(one[key], other[key], f"{name}.{key}")
        ]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return [f"{name}: {len(one)} and {len(other)} members"]
        return [
            line
            for index, pair in enumerate(zip(one, other, strict=True))
            for line in differences(*pair, f"{name}.{index}")
        ]
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return [] if np.array_equal(np.asarray(one), np.asarray(other)) else [name]
    return [] if one == other else [f"{name}: {one!r} and {other!r}"]
