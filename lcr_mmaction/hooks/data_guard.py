"""Check the labels of all datasets against the model before any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from .flip_maps import flip_fault

_SHOWN = 5
# Those of MMAction2's AccMetric that score one label a clip.
_ONE_LABEL = {"top_k_accuracy", "mean_class_accuracy"}


class LabelError(ValueError):
    """Labels that cannot mean what they should."""


class LabelRangeError(LabelError):
    """Labels that the model's head has no class for, or the reverse."""


class LabelTableError(LabelError):
    """A table of classes that was made for others: of flips, names or metrics."""


@HOOKS.register_module()
class DataGuardHook(Hook):
    """Compare all that counts or names classes, before the first step.

    Stock MMAction2 fails on an out-of-range training label in mid-epoch without
    naming the clip, scores an out-of-range validation label silently as wrong, and
    trains on what a flip map for other classes makes of the labels. This hook reads
    the labels alone, of every split, through any wrapper of datasets, and compares

    - labels, the names in ``metainfo.classes``, a dataset's ``num_classes``, and
      those of batch blending and metrics with ``model.cls_head.num_classes``;
    - the names of the splits with each other, and the labels of clips that are in
      both;
    - every ``flip_label_map`` of a pipeline with the classes and, where the names are
      known, with what they become in a mirror: left and right, up and down,
      clockwise and counterclockwise.

    Clips may have several labels (``multi_class=True``).

    Args:
        unused_classes: What to do about classes no training clip has:
            ``'warn'`` or ``'raise'``.
        check_flip_names: Whether to compare flip maps with the names, which must
            then be English.

    Raises:
        ValueError: ``unused_classes`` is neither.
        LabelRangeError: When a run starts, a label is out of range.
        LabelTableError: When a run starts, a table is for other classes.
    """

    def __init__(
        self, unused_classes: str = "warn", check_flip_names: bool = True
    ) -> None:
        if unused_classes not in ("warn", "raise"):
            raise ValueError(
                f"unused_classes must be 'warn' or 'raise', got {unused_classes!r}."
            )
        self.unused_classes = unused_classes
        self.check_flip_names = check_flip_names

    def before_train(self, runner: Runner) -> None:
        """Check the training data and, where configured, the validation's."""
        train = Split(runner, "training", runner.train_dataloader.dataset)
        self._check(runner, train)
        self._check_unused(runner, train)
        blending = getattr(_model(runner).data_preprocessor, "blending", None)
        _check_count(runner, blending, "The batch blending")
        if runner.val_loop is not None:
            val = Split(runner, "validation", runner.val_dataloader.dataset)
            self._check(runner, val)
            _check_metrics(runner, val, runner.val_evaluator)
            _compare(runner, train, val)

    def before_val(self, runner: Runner) -> None:
        """Check the validation data of a run that only validates."""
        if runner._train_loop is None or isinstance(runner._train_loop, dict):
            val = Split(runner, "validation", runner.val_dataloader.dataset)
            self._check(runner, val)
            _check_metrics(runner, val, runner.val_evaluator)

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        test = Split(runner, "test", runner.test_dataloader.dataset)
        self._check(runner, test)
        _check_metrics(runner, test, runner.test_evaluator)

    def _check(self, runner: Runner, split: Split) -> None:
        num_classes = _num_classes(runner)
        if split.out_of_range:
            shown = "; ".join(split.out_of_range[:_SHOWN])
            more = len(split.out_of_range) - _SHOWN
            raise LabelRangeError(
                f"The model has num_classes = {num_classes}, labels 0 to "
                f"{num_classes - 1}, but in the {split.name} list "
                f"{shown}{f' and {more} more' if more > 0 else ''}. Correct the list "
                f"({', '.join(split.lists)}) or set model.cls_head.num_classes."
            )
        for dataset in split.datasets:
            own = getattr(dataset, "num_classes", None)
            if own is not None and own != num_classes:
                raise LabelTableError(
                    f"The {split.name} dataset has num_classes = {own}, the model "
                    f"{num_classes}: they must be the same."
                )
            names = _names(dataset)
            if names is not None and len(names) != num_classes:
                raise LabelTableError(
                    f"metainfo.classes of the {split.name} dataset names "
                    f"{len(names)} classes, but the model has num_classes = "
                    f"{num_classes}: they must be the same."
                )
            fault = flip_fault(
                getattr(getattr(dataset, "pipeline", None), "transforms", ()),
                num_classes,
                names,
                split.many_labels,
                self.check_flip_names,
            )
            if fault:
                raise LabelTableError(
                    f"In the {split.name} pipeline, {fault} If the names are not "
                    "English, set check_flip_names=False of DataGuardHook."
                    if names is not None
                    else f"In the {split.name} pipeline, {fault}"
                )
        _check_loss(runner, split)

    def _check_unused(self, runner: Runner, train: Split) -> None:
        num_classes = _num_classes(runner)
        unused = [label for label in range(num_classes) if label not in train.counts]
        if not unused:
            return
        message = (
            f"The model has num_classes = {num_classes}, but no training clip has "
            f"label {', '.join(map(str, unused[:10]))}"
            f"{', ...' if len(unused) > 10 else ''} ({len(unused)} unused). If they "
            "are not meant to be empty, correct the list or set "
            "model.cls_head.num_classes."
        )
        if self.unused_classes == "raise":
            raise LabelRangeError(message)
        runner.logger.warning(message)


class Split:
    """The labels of one split.

    Attributes:
        datasets: What is inside all wrappers.
        counts: Clips of every class.
        clips: Labels of every clip, by its file.
        out_of_range: Clips with such labels, in words.
        many_labels: Whether clips may have several.
        several: A clip with none or several labels, None if all have one.
    """

    def __init__(self, runner: Runner, name: str, dataset: Any) -> None:
        self.name = name
        self.datasets = list(_unwrapped(dataset))
        self.lists = [
            str(getattr(inner, "ann_file", "of the dataset")) for inner in self.datasets
        ]
        self.counts: Counter[int] = Counter()
        self.clips: dict[Any, tuple[int, ...]] = {}
        self.out_of_range: list[str] = []
        self.many_labels = False
        self.several: str | None = None
        num_classes = _num_classes(runner)
        for inner in self.datasets:
            self.many_labels |= bool(getattr(inner, "multi_class", False))
            for index in range(len(inner)):
                self._add(inner.get_data_info(index), num_classes)

    def _add(self, info: dict, num_classes: int) -> None:
        file = info.get("filename") or info.get("frame_dir") or info.get("audio_path")
        labels = _labels(info["label"])
        if labels is None:
            self.out_of_range.append(f"{file} has label {info['label']!r}")
            return
        self.counts.update(labels)
        self.clips[file, info.get("offset"), info.get("gesture")] = labels
        if len(labels) != 1:
            self.several = str(file)
        self.out_of_range += [
            f"{file} has label {label}"
            for label in labels
            if not 0 <= label < num_classes
        ]


def _unwrapped(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside wrappers that repeat, join, balance or choose."""
    inner = getattr(dataset, "datasets", None)
    if inner is None and hasattr(dataset, "dataset"):
        inner = [dataset.dataset]
    if inner is None:
        yield dataset
        return
    for one in inner:
        yield from _unwrapped(one)


def _labels(label: Any) -> tuple[int, ...] | None:
    """The classes of a clip; None if it is neither a number nor one number a class."""
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return (int(label),)
    if isinstance(label, (Tensor, np.ndarray)) and np.ndim(label) == 1:
        return tuple(np.flatnonzero(np.asarray(label)).tolist())
    return None


def _model(runner: Runner) -> Any:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _num_classes(runner: Runner) -> int:
    return _model(runner).cls_head.num_classes


def _names(dataset: Any) -> Sequence[str] | None:
    return (getattr(dataset, "metainfo", None) or {}).get("classes")


def _check_count(runner: Runner, part: Any, what: str) -> None:
    own = getattr(part, "num_classes", None)
    if own is not None and own != _num_classes(runner):
        raise LabelTableError(
            f"{what} ({type(part).__name__}) has num_classes = {own}, the model "
            f"{_num_classes(runner)}: they must be the same."
        )


def _check_loss(runner: Runner, split: Split) -> None:
    head = _model(runner).cls_head
    loss = type(getattr(head, "loss_cls", None)).__name__
    if split.many_labels and split.several and loss == "CrossEntropyLoss":
        raise LabelTableError(
            f"{split.several} of the {split.name} list has no label or several, but "
            "the head's CrossEntropyLoss is for clips with one: set "
            "model.cls_head.loss_cls=dict(type='BCELossWithLogits'), "
            "multi_class=True and average_clips='score'."
        )


def _check_metrics(runner: Runner, split: Split, evaluator: Any) -> None:
    for metric in evaluator.metrics:
        _check_count(runner, metric, f"The {split.name} metric")
        kinds = _ONE_LABEL & set(getattr(metric, "metrics", ()))
        if split.many_labels and kinds:
            raise LabelTableError(
                f"The {split.name} metric {type(metric).__name__} computes "
                f"{', '.join(sorted(kinds))}, which is for clips with one label: set "
                "metric_list=('mean_average_precision',) of the evaluator."
            )


def _compare(runner: Runner, train: Split, val: Split) -> None:
    """Compare what two splits call the classes and the clips that both have."""
    names = [(s, _names(d)) for s in (train, val) for d in s.datasets]
    known = [(split, list(given)) for split, given in names if given is not None]
    for split, given in known[1:]:
        if given != known[0][1]:
            label = next(i for i, n in enumerate(given) if n != known[0][1][i])
            raise LabelTableError(
                f"Class {label} is {known[0][1][label]!r} in the {known[0][0].name} "
                f"data and {given[label]!r} in the {split.name} data: metainfo.classes "
                "must be the same."
            )
    shared = train.clips.keys() & val.clips.keys()
    if not shared:
        return
    for clip in shared:
        if train.clips[clip] != val.clips[clip]:
            raise LabelTableError(
                f"{clip[0]} has label {_words(train.clips[clip])} in the training list "
                f"and {_words(val.clips[clip])} in the validation list. Were the "
                f"lists made at different times? {train.lists}, {val.lists}"
            )
    runner.logger.warning(
        f"{len(shared)} of the {len(val.clips)} validation clips are also in the "
        f"training list, {min(str(clip[0]) for clip in shared)} for one: the score "
        "will flatter."
    )


def _words(labels: tuple[int, ...]) -> str:
    return ", ".join(map(str, labels)) or "none"
