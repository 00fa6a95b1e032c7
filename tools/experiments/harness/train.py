"""Train one run in this process, test it, and write its result."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, find_latest_checkpoint

import lcr_mmaction

from .curve import CurveHook

# Folders of the package that no training run executes. Configs are part of a run's key,
# clips tell which renderer drew them.
NOT_TRAINING = ("configs", "deployment", "streaming")


def train(folder: Path, keep: bool) -> dict:
    """Train the config in a folder, or go on from its last checkpoint.

    Args:
        folder: Has `config.py`; gets `curve.json`, `work` with the logs, and at the
            end `result.json`.
        keep: Whether the last checkpoint stays.

    Returns:
        The result.
    """
    start = time.monotonic()
    cfg = Config.fromfile(folder / "config.py")
    work = folder / "work"
    cfg.work_dir = str(work)
    cfg.resume = bool(find_latest_checkpoint(str(work)))
    cost = complexity(cfg)
    curve = CurveHook(folder / "curve.json", start)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(curve)
    runner.train()
    if "top1" not in curve.records[-1]:  # interrupted between checkpoint and test
        runner.val_loop.run()
    last = curve.records[-1]
    tests = {name: test(runner, steps) for name, steps in cfg.get("tests", {}).items()}
    result = dict(
        top1=last["top1"],
        top5=last["top5"],
        best=max(record.get("top1", 0.0) for record in curve.records),
        tests=tests,
        **cost,
        memory=peak_memory(),
        train_seconds=last["seconds"],
        train_cpu_seconds=last["cpu_seconds"],
        wall_seconds=curve.wall_before + time.monotonic() - start,
        device=device(),
        torch=torch.__version__,
        source=source_digest(),
        curve=curve.records,
    )
    if not keep:
        for checkpoint in work.glob("*.pth"):
            checkpoint.unlink()
        (work / "last_checkpoint").unlink(missing_ok=True)
    part = folder / "result.part"
    part.write_text(json.dumps(result, indent=1) + "\n")
    part.replace(folder / "result.json")
    return result


def test(runner: Runner, pipeline: list[dict]) -> float:
    """Top-1 of the trained model on the validation clips, otherwise prepared."""
    loader = dict(runner.cfg.val_dataloader)
    loader["dataset"] = dict(loader["dataset"], pipeline=pipeline)
    loop = runner.build_val_loop(dict(type="ValLoop"))
    loop.dataloader = runner.build_dataloader(loader)
    # The hooks of a validation belong to the weights that it takes (their average),
    # but the curve holds the validations during training only.
    curves = [hook for hook in runner.hooks if isinstance(hook, CurveHook)]
    runner._hooks = [hook for hook in runner.hooks if hook not in curves]
    return float(loop.run()["acc/top1"])


def complexity(cfg: Config) -> dict:
    """Parameters and multiply-adds of one validation clip, as `get_flops.py` counts."""
    init_default_scope(cfg.get("default_scope", "mmaction"))
    model = MODELS.build(cfg.model).eval()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    model.forward = model.extract_feat
    clip = DATASETS.build(cfg.val_dataloader.dataset)[0]["inputs"]
    analysis = get_model_complexity_info(model, tuple(clip.shape), show_table=False)
    return dict(parameters=parameters, flops=analysis["flops"], input=list(clip.shape))


def peak_memory() -> int:
    """Peak bytes: of the GPU where there is one, of the process elsewhere."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def device() -> str:
    """What the run ran on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} thread(s)"


def source_digest() -> str:
    """Digest of the Python code that trains: runs of different code are told apart."""
    root = Path(lcr_mmaction.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in NOT_TRAINING:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
