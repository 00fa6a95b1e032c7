"""What a run records after every epoch, and keeps when it is interrupted."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner


class CurveHook(Hook):
    """Write epoch, clips seen, seconds, loss and scores to a JSON file.

    `seconds` are those of training alone, loading included and validation not;
    `cpu_seconds` are the processor's in that time, all threads of this process added,
    which other work on the machine hardly changes; `wall` are those of the process.
    All go on from the checkpoint's epoch when a run is resumed.

    Args:
        path: The file.
        start: `time.monotonic()` at the start of the process.
    """

    def __init__(self, path: Path, start: float) -> None:
        self.path = path
        self.start = start
        self.records: list[dict] = []
        self.wall_before = 0.0

    def before_train(self, runner: Runner) -> None:
        """Keep the records up to the epoch from which training goes on."""
        records = json.loads(self.path.read_text()) if self.path.exists() else []
        self.records = [r for r in records if r["epoch"] <= runner.epoch]
        self.wall_before = self.records[-1]["wall"] if self.records else 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self.epoch_start = time.monotonic()
        self.epoch_cpu_start = time.process_time()

    def after_train_epoch(self, runner: Runner) -> None:
        """Add a record; the hook that saves the checkpoint comes later."""
        loader = runner.train_dataloader
        seconds = time.monotonic() - self.epoch_start
        cpu_seconds = time.process_time() - self.epoch_cpu_start
        before = self.records[-1] if self.records else dict(seconds=0, cpu_seconds=0)
        epoch = runner.epoch + 1
        self.records.append(
            dict(
                epoch=epoch,
                clips=epoch * len(loader) * loader.batch_size,
                seconds=before["seconds"] + seconds,
                cpu_seconds=before["cpu_seconds"] + cpu_seconds,
                loss=float(
                    runner.message_hub.get_scalar("train/loss").mean(len(loader))
                ),
            )
        )
        self._save()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Add the scores to the last record."""
        scores = {name.split("/")[-1]: float(x) for name, x in (metrics or {}).items()}
        self.records[-1].update(scores)
        self._save()

    def _save(self) -> None:
        self.records[-1]["wall"] = self.wall_before + time.monotonic() - self.start
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.records, indent=1) + "\n")
        part.replace(self.path)
