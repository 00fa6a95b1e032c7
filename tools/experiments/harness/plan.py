"""From a study to its runs: full configs, each with a key of its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .data import task_of
from .spelling import first_spelled
from .study import ROOT, Clips, Edits, Size, Study, Variant

# What the result of a run depends on; the rest is logging, machine and paths.
DECISIVE = (
    "model",
    "train_dataloader",
    "val_dataloader",
    "val_evaluator",
    "train_cfg",
    "optim_wrapper",
    "param_scheduler",
    "custom_hooks",
    "randomness",
    "load_from",
    "tests",
)


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        key: Digest of all that decides the result: studies share equal runs.
        variant: Name of the variant, of the study that asks for it.
        seed: Seed of everything random.
        config: The full config.
        folder: Where its config, log and result lie.
    """

    key: str
    variant: str
    seed: int
    config: Config
    folder: Path

    @property
    def result_file(self) -> Path:
        """Written when the run is finished, and only then."""
        return self.folder / "result.json"


def plan_runs(study: Study, size: str, seeds: int, data: Path, out: Path) -> list[Run]:
    """All runs of a study, one seed after the other.

    Args:
        study: The study.
        size: Which of its sizes.
        seeds: How many seeds, from 0.
        data: Folder of the clip folders.
        out: Folder of all runs and reports.
    """
    runs = []
    for seed in range(seeds):
        for variant in study.of_size(size):
            cfg = build_config(study.sizes[size], variant, seed, data)
            key = run_key(cfg, data)
            runs.append(Run(key, variant.name, seed, cfg, out / "runs" / key))
    return runs


def clips_of(study: Study, size: str) -> list[Clips]:
    """The clips that the runs of a study need."""
    default = study.sizes[size].clips
    return list({variant.clips or default for variant in study.of_size(size)})


def build_config(size: Size, variant: Variant, seed: int, data: Path) -> Config:
    """The full config of one run, without what only the machine decides."""
    cfg = Config.fromfile(ROOT / (variant.config or size.config))
    cfg.randomness = dict(seed=seed)
    set_epochs(cfg, size.epochs, size.val_interval)
    set_clips(cfg, variant.clips or size.clips, data)
    cfg.merge_from_dict(size.options)
    cfg.merge_from_dict(variant.options)
    train = cfg.train_dataloader.dataset
    val = cfg.val_dataloader.dataset
    for edits in (size.edits, variant.edits):
        train.pipeline = edited(train.pipeline, edits)
        val.pipeline = edited(val.pipeline, edits)
    train.pipeline = edited(train.pipeline, variant.train_edits)
    if variant.tests:
        cfg.tests = {
            name: edited(val.pipeline, edits) for name, edits in variant.tests.items()
        }
    return cfg


def set_epochs(cfg: Config, epochs: int, val_interval: int) -> None:
    """Train for `epochs` epochs, the schedule stretched or cut at its end."""
    before = cfg.train_cfg.max_epochs
    for scheduler in cfg.param_scheduler:
        if scheduler.get("end") == before:
            scheduler.end = epochs
        if scheduler.get("begin", 0) >= scheduler.get("end", epochs):
            raise ValueError(
                f"{epochs} epochs are too few for {cfg.filename}: its {scheduler.type} "
                f"begins with epoch {scheduler.begin}."
            )
    cfg.train_cfg.max_epochs = epochs
    cfg.train_cfg.val_interval = val_interval


def set_clips(cfg: Config, clips: Clips, data: Path) -> None:
    """Read the given clips, and have as many classes as they have."""
    root, task = data / clips.folder, task_of(clips)
    loaders = (("train", clips.train), ("val", clips.val))
    for split, count in loaders:
        dataset = cfg[f"{split}_dataloader"].dataset
        if "ann_file" not in dataset:
            raise ValueError(
                f"{cfg.filename}: {split}_dataloader.dataset has no ann_file; "
                "experiments need a plain dataset, without a wrapper."
            )
        dataset.ann_file = str(root / f"{task.name}_{split}_list_rawframes.txt")
        dataset.data_prefix = dict(img=str(root))
        dataset.metainfo = dict(classes=task.classes)
        dataset.indices = count
        if clips.task != "jester":  # whose steps a mirror leaves alone
            flips = [step for step in dataset.pipeline if step["type"] == "Flip"]
            for step in flips:
                step["flip_label_map"] = None
    cfg.model.cls_head.num_classes = len(task.classes)


def edited(pipeline: list[dict], edits: Edits) -> list[dict]:
    """A changed copy of a pipeline.

    Args:
        pipeline: Transforms as a config has them.
        edits: Settings by transform, None to remove it; one that is not there goes
            before `FormatShape`.
    """
    steps = []
    missing = {name for name, settings in edits.items() if settings is not None}
    for step in pipeline:
        name = step["type"]
        missing.discard(name)
        if name in edits and edits[name] is None:
            continue
        steps.append({**step, **edits.get(name, {})})
    place = next(i for i, step in enumerate(steps) if step["type"] == "FormatShape")
    new = [dict(type=name, **edits[name]) for name in edits if name in missing]
    return steps[:place] + new + steps[place:]


def run_key(cfg: Config, data: Path) -> str:
    """Twelve hexadecimal digits that stand for all that decides a run's result."""
    content: dict[str, Any] = {name: cfg[name] for name in DECISIVE if name in cfg}
    for name in ("train_dataloader", "val_dataloader"):
        # The number of loading processes belongs to the machine.
        loader = dict(content[name])
        loader.pop("num_workers", None)
        loader.pop("persistent_workers", None)
        content[name] = loader
    text = json.dumps(first_spelled(content), sort_keys=True, default=str)
    text = text.replace(str(data), "DATA")
    return hashlib.sha256(text.encode()).hexdigest()[:12]
