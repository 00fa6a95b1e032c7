"""Check the labels of all datasets against the model before any step."""

from __future__ import annotations

from collections import Counter

from mmaction.registry import HOOKS
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


class LabelRangeError(ValueError):
    """Labels that the model's head has no class for, or the reverse."""


@HOOKS.register_module()
class DataGuardHook(Hook):
    """Compare the labels of every split with ``cls_head.num_classes``.

    Stock MMAction2 fails on an out-of-range training label in mid-epoch without
    naming the clip, and scores an out-of-range validation label silently as
    wrong. This hook reads the labels alone, before the first step.

    Args:
        unused_classes: What to do about classes no training clip has:
            ``'warn'`` or ``'raise'``.

    Raises:
        ValueError: ``unused_classes`` is neither.
        LabelRangeError: When a run starts, as said above.
    """

    def __init__(self, unused_classes: str = "warn") -> None:
        if unused_classes not in ("warn", "raise"):
            raise ValueError(
                f"unused_classes must be 'warn' or 'raise', got {unused_classes!r}."
            )
        self.unused_classes = unused_classes

    def before_train(self, runner: Runner) -> None:
        """Check the training labels and, where configured, the validation's."""
        counts = self._check(runner, runner.train_dataloader.dataset, "training")
        self._check_unused(runner, counts)
        if runner.val_loop is not None:
            self._check(runner, runner.val_dataloader.dataset, "validation")

    def before_test(self, runner: Runner) -> None:
        """Check the test labels."""
        self._check(runner, runner.test_dataloader.dataset, "test")

    def _check(self, runner: Runner, dataset: BaseDataset, split: str) -> Counter:
        """Return the clips per label, having checked the range."""
        num_classes = _num_classes(runner)
        counts: Counter = Counter()
        faults = []
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            label = info["label"]
            counts[label] += 1
            if not 0 <= label < num_classes:
                clip = info.get("filename") or info.get("frame_dir")
                faults.append(f"{clip} has label {label}")
        if faults:
            more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
            raise LabelRangeError(
                f"The model has num_classes = {num_classes}, labels 0 to "
                f"{num_classes - 1}, but in the {split} list "
                f"{'; '.join(faults[:5])}{more}. Correct the list "
                f"({getattr(dataset, 'ann_file', 'of the wrapped dataset')}) or set "
                "model.cls_head.num_classes."
            )
        return counts

    def _check_unused(self, runner: Runner, counts: Counter) -> None:
        num_classes = _num_classes(runner)
        unused = [label for label in range(num_classes) if label not in counts]
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


def _num_classes(runner: Runner) -> int:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.cls_head.num_classes
