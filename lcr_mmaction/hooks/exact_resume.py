"""Runs that end the same whether or not they were interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

_KEY = "exact_resume"
# What a seed is for, so that no two purposes share random numbers.
_EPOCH, _ITERATION, _VALIDATION, _SAMPLE = range(4)


def _seed(*numbers: int, seed_torch: Callable[[int], Any] = torch.manual_seed) -> None:
    """Put the random states of Python, NumPy and PyTorch where the numbers say."""
    words = np.random.SeedSequence(numbers).generate_state(6)
    random.seed(int(words[0]) << 32 | int(words[1]))
    np.random.seed(words[2:4])
    seed_torch(int(words[4]) << 31 | int(words[5]) >> 1)


@contextmanager
def _own_random_states() -> Iterator[None]:
    """Give what runs inside random states of its own (those of the CPU)."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


class SeededSamples:
    """Reads samples of a dataset, each with random numbers of its own.

    They follow from the run's seed, the epoch and the sample's index, so that they do
    not depend on which worker reads a sample, or on what it has read before.

    Args:
        dataset: What to read from.
        seed: The run's.
        by_call: Whether to go by the number of batches read so far instead of the
            epoch, for loops that have none.
    """

    def __init__(self, dataset: Any, seed: int, by_call: bool = False) -> None:
        self.dataset = dataset
        self.seed = seed
        self.by_call = by_call
        # Shared with workers that live on from epoch to epoch.
        self.epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def __call__(self, indices: Sequence[int]) -> list:
        """Read a batch."""
        if self.by_call:
            self.epoch += 1
        with _own_random_states():
            return [self._read(int(index)) for index in indices]

    def _read(self, index: int) -> Any:
        # Not torch.manual_seed, which would reach the model's device too.
        on_cpu = torch.default_generator.manual_seed
        _seed(self.seed, _SAMPLE, int(self.epoch), index, seed_torch=on_cpu)
        return self.dataset[index]


class _Rest:
    """A sampler that leaves out the first indices, once.

    Its length stays the whole epoch's, which hooks count by.
    """

    def __init__(self, sampler: Any, skip: int) -> None:
        self.sampler = sampler
        self.skip = skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        skip, self.skip = self.skip, 0
        for position, index in enumerate(self.sampler):
            if position >= skip:
                yield index


class _PendingValidation(Hook):
    """Runs the validation that a killed process still owed."""

    priority = "LOWEST"

    def before_train(self, runner: Runner) -> None:
        """Validate as the loop does after an epoch."""
        runner.logger.info(
            f"Validating epoch {runner.epoch}, which the resumed run had not done."
        )
        # Of the last step, as they would be now; saved with the best checkpoint.
        runner.message_hub.update_info("epoch", runner.epoch - 1)
        runner.message_hub.update_info("iter", runner.iter - 1)
        runner.val_loop.run()


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make a resumed run end bit for bit as one that was never interrupted.

    MMEngine restores weights, optimizer, schedules and averages, but neither random
    states nor the place within an epoch. Here every random number follows from the
    run's seed and from where it is used, so that there is no state to lose:

    - before every epoch, iteration and validation, Python, NumPy and PyTorch (all
      devices) are seeded by the run's seed, the process's rank and its number;
    - every sample is read with random numbers of its seed, epoch and index, in whatever
      worker. Workers that are started anew each epoch thereby stop repeating one
      epoch's augmentations for ever, as they do in MMEngine.

    A checkpoint from the middle of an epoch (``CheckpointHook(by_epoch=False,
    interval=N)``) goes on with the batch after it; gradients that were still being
    accumulated are restored. A validation that was due when the process died is made
    up, so that the best checkpoint is the same as well.

    With MMEngine's ``IterBasedTrainLoop`` set ``randomness.seed``: that loop reads
    all earlier batches again.

    Raises:
        RuntimeError: When resuming from the middle of an epoch with another number of
            batches in it.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._saved: dict[str, Any] | None = None
        self._validated = 0
        self._samples: list[SeededSamples] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the checkpoint says about its run."""
        if not runner._resume:
            return
        self._saved = checkpoint.get(_KEY, {})
        if not self._saved:
            runner.logger.warning(
                "The checkpoint was saved without ExactResumeHook: the resumed run "
                "will differ a little from one that was never interrupted."
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Say where the run is."""
        entry = dict(
            batches=len(runner.train_dataloader),
            sampler_seed=getattr(runner.train_dataloader.sampler, "seed", None),
            validated=self._validated,
        )
        wrapper = runner.optim_wrapper
        counts = getattr(wrapper, "_accumulative_counts", 1)
        if "optimizer" in checkpoint and getattr(wrapper, "_inner_count", 0) % counts:
            entry["gradients"] = {
                name: parameter.grad.cpu()
                for name, parameter in _unwrapped(runner).named_parameters()
                if parameter.grad is not None
            }
        checkpoint[_KEY] = entry

    def before_train(self, runner: Runner) -> None:
        """Seed the reading of samples; when resuming, find the place to go on."""
        seed = runner.seed
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        # An iteration-based loop has started its workers by now, with seeds of theirs.
        if by_epoch or loop.dataloader.num_workers == 0:
            self._seed_samples(loop.dataloader.dataset, seed, not by_epoch)
        if runner.val_loop is not None:
            self._seed_samples(runner.val_dataloader.dataset, seed, False)
        if self._saved is None:
            return
        self._restore(runner, self._saved)
        if by_epoch and self._saved:
            self._find_place(runner, self._saved)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what hooks and loaders draw at the start of an epoch."""
        self._start(runner, _EPOCH, runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed the training step."""
        _seed(runner.seed, _ITERATION, runner.rank, runner.iter)

    def before_val_epoch(self, runner: Runner) -> None:
        """Seed the validation."""
        self._start(runner, _VALIDATION, runner.epoch)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Note the validation as done."""
        self._validated = runner.epoch

    def _start(self, runner: Runner, purpose: int, epoch: int) -> None:
        for samples in self._samples:
            if not samples.by_call:
                samples.epoch.fill_(epoch)
        _seed(runner.seed, purpose, runner.rank, epoch)

    def _seed_samples(self, dataset: Any, seed: int, by_call: bool) -> None:
        samples = SeededSamples(dataset, seed, by_call)
        try:
            # PyTorch's loaders ask for whole batches where a dataset has this.
            dataset.__getitems__ = samples
        except AttributeError:
            print_log(
                f"ExactResumeHook cannot seed the samples of a "
                f"{type(dataset).__name__}; transforms that draw random numbers will "
                "differ after resuming.",
                logger="current",
            )
            return
        self._samples.append(samples)

    def _restore(self, runner: Runner, saved: dict[str, Any]) -> None:
        sampler = runner.train_dataloader.sampler
        if saved.get("sampler_seed") is not None and hasattr(sampler, "seed"):
            sampler.seed = saved["sampler_seed"]
        self._validated = saved.get("validated", 0)
        gradients = saved.get("gradients", {})
        if gradients and get_world_size() > 1:
            runner.logger.warning(
                "Gradients that were being accumulated are those of one process: the "
                "first step after resuming will differ a little."
            )
        for name, parameter in _unwrapped(runner).named_parameters():
            if name in gradients:
                parameter.grad = gradients[name].to(parameter.device)

    def _find_place(self, runner: Runner, saved: dict[str, Any]) -> None:
        loop, loader = runner.train_loop, runner.train_dataloader
        done = runner.iter - runner.epoch * saved["batches"]
        if done > 0:
            if len(loader) != saved["batches"]:
                raise RuntimeError(
                    f"Cannot resume from the middle of epoch {runner.epoch + 1}: it "
                    f"had {saved['batches']} batches, and has {len(loader)} now. Use "
                    "the same data, batch size and number of processes, or resume "
                    "from the end of an epoch."
                )
            batches = loader.batch_sampler
            batches.sampler = _Rest(batches.sampler, done * batches.batch_size)
            runner.logger.info(f"Going on after batch {done} of {len(loader)}.")
            return
        loop._decide_current_val_interval()
        due = (
            runner.val_loop is not None
            and runner.epoch >= max(1, loop.val_begin)
            and (
                runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
            )
        )
        if due and self._validated < runner.epoch:
            runner.register_hook(_PendingValidation(), priority="LOWEST")


def _unwrapped(runner: Runner) -> torch.nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
