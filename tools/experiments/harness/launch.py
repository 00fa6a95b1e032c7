"""Run many training processes side by side, one processor or GPU each."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch
from mmengine.config import Config

from .plan import Run
from .study import ROOT


def default_jobs() -> int:
    """One run per GPU, or per processor where there is none."""
    return torch.cuda.device_count() or len(os.sched_getaffinity(0))


def launch(runs: list[Run], jobs: int, keep: bool) -> list[Run]:
    """Train all runs that have no result yet.

    Args:
        runs: What is wanted; equal keys are trained once.
        jobs: How many at a time.
        keep: Whether checkpoints of finished runs stay.

    Returns:
        The runs that failed.
    """
    todo = list({run.key: run for run in runs if not run.result_file.exists()}.values())
    print(f"{len({run.key for run in runs})} runs, {len(todo)} to train", flush=True)
    slots: queue.Queue[int] = queue.Queue()
    for slot in range(jobs):
        slots.put(slot)
    children: set[subprocess.Popen] = set()

    def work(run: Run) -> int:
        slot = slots.get()
        try:
            return train_in_process(run, slot, jobs, keep, children)
        finally:
            slots.put(slot)

    failed, start = [], time.monotonic()
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(work, run): run for run in todo}
        for count, future in enumerate(as_completed(futures), start=1):
            run = futures[future]
            state = "done"
            if code := future.result():
                failed.append(run)
                state = f"FAILED with exit status {code}, see {run.folder / 'log'}"
            minutes = (time.monotonic() - start) / 60
            print(
                f"{minutes:6.1f} min {count}/{len(todo)} {run.variant}, seed "
                f"{run.seed}: {state}",
                flush=True,
            )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        pool.shutdown()
    return failed


def train_in_process(
    run: Run, slot: int, jobs: int, keep: bool, children: set[subprocess.Popen]
) -> int:
    """Write the config of a run, train it, and return the exit status."""
    run.folder.mkdir(parents=True, exist_ok=True)
    for_this_machine(run.config, jobs).dump(run.folder / "config.py")
    script = ROOT / "tools" / "experiments" / "train_one.py"
    command = [sys.executable, str(script), str(run.folder)]
    with open(run.folder / "log", "a") as log:
        child = subprocess.Popen(
            command + ["--keep"] * keep,
            env=environment(slot),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        children.add(child)
        code = child.wait()
        children.discard(child)
    return code


def environment(slot: int) -> dict[str, str]:
    """One thread on the CPU; one GPU, shared in turn where there are more jobs."""
    env = dict(os.environ)
    gpus = torch.cuda.device_count()
    if gpus:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        names = visible.split(",") if visible else [str(i) for i in range(gpus)]
        return env | {"CUDA_VISIBLE_DEVICES": names[slot % gpus]}
    return env | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def for_this_machine(cfg: Config, jobs: int) -> Config:
    """Loading, logging and checkpoints, none of which changes the result."""
    gpus = torch.cuda.device_count()
    # On the CPU the one thread of a job loads as well; beside a GPU the processors
    # are shared out.
    workers = max(1, min(8, (os.cpu_count() or 1) // jobs)) if gpus else 0
    for name in ("train_dataloader", "val_dataloader"):
        cfg[name].num_workers = workers
        cfg[name].persistent_workers = workers > 0
    cfg.default_hooks.checkpoint = dict(
        type="CheckpointHook", interval=1, max_keep_ckpts=1, save_best=None
    )
    cfg.default_hooks.logger.interval = 50
    cfg.vis_backends = [dict(type="LocalVisBackend")]
    cfg.visualizer = dict(type="ActionVisualizer", vis_backends=cfg.vis_backends)
    cfg.pop("test_dataloader", None)
    cfg.pop("test_evaluator", None)
    cfg.pop("test_cfg", None)
    return cfg
