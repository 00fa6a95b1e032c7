"""Checkpoints that are whole or not there, whenever the process dies."""

from __future__ import annotations

import contextlib
import os
import os.path as osp
from collections import deque
from collections.abc import Iterable
from glob import escape, glob
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

_BACKEND = "whole_files"
_UNFINISHED = ".unfinished"


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Write a file so that its name only ever stands for a whole one.

    The content goes to a file beside it, to the disk, and takes the name last.

    Raises:
        OSError: It cannot be written, on a full disk for one. What had the name
            before still has it.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}{_UNFINISHED}")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise OSError(
            error.errno,
            f"cannot save {len(content) / 1e6:.1f} MB ({error.strerror}); what was "
            "saved before is untouched: mend the cause and go on with --resume",
            str(path),
        ) from error
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # The name itself must reach the disk too. Not every system opens folders.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class WholeFileBackend(LocalBackend):
    """MMEngine's local files, written by :func:`write_whole`."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write bytes to a file, making its folder."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_whole(filepath, obj)


register_backend(_BACKEND, WholeFileBackend, force=True)


class _RemovesLater:
    """A file backend that puts removals off until what replaces them is saved."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.outdated.append(path)

    rmtree = remove

    def remove_now(self, keep: Iterable[str | None]) -> None:
        for path in set(self.outdated) - set(keep):
            if self.backend.isfile(path):
                self.backend.remove(path)
            elif self.backend.isdir(path):
                self.backend.rmtree(path)


# Under MMEngine's name too, so that a config that says `type='CheckpointHook'` to set
# another interval does not lose this.
@HOOKS.register_module(name=["AtomicCheckpointHook", "CheckpointHook"])
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, for processes that may be killed in a save.

    MMEngine writes in place and removes the old checkpoint before it writes the new:
    a run killed then, or whose disk is full, is left with a broken file or none.
    Here checkpoints and ``last_checkpoint`` are written aside, synced and renamed,
    and old ones go last. Takes the arguments of
    :class:`mmengine.hooks.CheckpointHook`. In MMAction2's scope it stands for that
    name. Only local files are atomic; other storage is written as MMEngine does.

    Raises:
        OSError: A checkpoint cannot be saved; older ones are untouched.
    """

    # MMEngine makes these in its own before_train.
    backend_args: dict | None
    last_ckpt: str | None
    keep_ckpt_ids: deque[int]
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Find the folder, and clear it of what a killed process left."""
        out_dir = self.out_dir or runner.work_dir
        local = "://" not in str(out_dir) and self.file_client_args is None
        if local and self.backend_args is None:
            self.backend_args = dict(backend=_BACKEND)
        super().before_train(runner)
        if self.last_ckpt is None:  # a resumed run, whose best may come next
            self.last_ckpt = runner.message_hub.runtime_info.get("last_ckpt")
        if local and is_main_process():
            for folder in {str(self.out_dir), str(runner.work_dir)}:
                pattern = osp.join(escape(folder), f"*{_UNFINISHED}")
                for path in glob(pattern):
                    os.remove(path)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[: -self.max_keep_ckpts]
            self.keep_ckpt_ids = deque(
                kept[-self.max_keep_ckpts :], self.max_keep_ckpts
            )
            # Before saving, as the checkpoint holds it.
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        last = osp.join(runner.work_dir, "last_checkpoint")
        write_whole(last, str(self.last_ckpt).encode())
        later = _RemovesLater(self.file_backend)
        later.outdated = [self._path(old) for old in outdated]
        later.remove_now(keep=[self.last_ckpt])

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(
            self.out_dir, self.filename_tmpl.format(step)
        )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        best = getattr(self, "best_ckpt_path_dict", {}).values()
        later.remove_now([*best, getattr(self, "best_ckpt_path", None), self.last_ckpt])
