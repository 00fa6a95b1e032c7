"""Refuse checkpoints that are not there or do not fit the model."""

from __future__ import annotations

import copy
import os.path as osp
import re
from collections import OrderedDict

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from mmengine.runner.checkpoint import load_state_dict

from ..loading import EDGES, find_classes, find_edges, refuse_other_data
from ..models.meaning import OtherMeaningError


class CheckpointMismatchError(RuntimeError):
    """A checkpoint whose weights are not those of the configured model."""


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Refuse what MMEngine lets pass with a printed line.

    - A checkpoint of another model, size or class count: MMEngine loads what
      fits and goes on, so that a test scores a half-random model. Here testing
      and resuming need a complete fit. Starting a training run from a
      checkpoint (``load_from`` without ``resume``) may replace the head.
    - A checkpoint of the same shapes and another meaning: :mod:`..models.meaning`,
      or for other edges or classes: :mod:`..loading`.
    - ``--resume`` where nothing was saved: MMEngine starts over.

    Args:
        replaceable: Prefix of the weights that may differ in fine-tuning.

    Raises:
        FileNotFoundError: There is nothing to resume.
        CheckpointMismatchError: The checkpoint does not fit.
    """

    def __init__(self, replaceable: str = "cls_head.") -> None:
        self.replaceable = replaceable

    # MMEngine says only in these private attributes what kind of run this is.

    def before_run(self, runner: Runner) -> None:
        """Check that there is something to resume."""
        if not runner._resume or runner._has_loaded:
            return
        checkpoint = runner._load_from or find_latest_checkpoint(runner.work_dir)
        if checkpoint is None:
            raise FileNotFoundError(
                f"Nothing to resume: {runner.work_dir} holds no last_checkpoint. "
                "Leave --resume out to start from the beginning, or name the "
                "checkpoint: --resume PATH."
            )
        if "://" not in checkpoint and not osp.isfile(checkpoint):
            raise FileNotFoundError(
                f"Cannot resume from {checkpoint}: no such file. Name another "
                "checkpoint: --resume PATH."
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep how the edges of the training clips were found."""
        checkpoint["meta"][EDGES] = find_edges(runner.cfg, "train_dataloader")

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Try the checkpoint on a copy of the model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint.get("state_dict", checkpoint)
        given = {re.sub(r"^module\.", "", key): value for key, value in weights.items()}
        expected = model.state_dict()
        fine_tuning = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        if fine_tuning:
            given = _with_own(given, expected, self.replaceable)
        tried = OrderedDict(given)
        # What the weights mean, which the model compares.
        tried._metadata = getattr(weights, "_metadata", OrderedDict())  # type: ignore
        # Only training goes on from other classes.
        loaders = ("train_dataloader",) if fine_tuning else ("test_dataloader",)
        classes = None if fine_tuning else find_classes(runner.cfg, *loaders)
        refuse_other_data(checkpoint, find_edges(runner.cfg, *loaders), classes)
        try:
            load_state_dict(copy.deepcopy(model), tried, strict=True)
        except OtherMeaningError:
            raise
        except RuntimeError as error:
            raise CheckpointMismatchError(
                f"{runner._load_from or 'The checkpoint'} does not fit the model of "
                f"this config:\n{_differences(given, expected)}\n"
                "Use the config it was trained with, or its own checkpoint."
            ) from error


def _with_own(given: dict, expected: dict, prefix: str) -> dict:
    """Return ``given`` with the weights under ``prefix`` from ``expected``."""
    kept = {key: value for key, value in given.items() if not key.startswith(prefix)}
    own = {key: value for key, value in expected.items() if key.startswith(prefix)}
    return kept | own


def _differences(given: dict, expected: dict, shown: int = 5) -> str:
    lines = [f"  {key}: missing" for key in expected if key not in given]
    lines += [f"  {key}: unknown to the model" for key in given if key not in expected]
    lines += [
        f"  {key}: shape {_shape(given[key])}, the model's is {_shape(value)}"
        for key, value in expected.items()
        if key in given and _shape(given[key]) != _shape(value)
    ]
    more = [f"  ... and {len(lines) - shown} more"] if len(lines) > shown else []
    return "\n".join(lines[:shown] + more)


def _shape(value: object) -> object:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value)
