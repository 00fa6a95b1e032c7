"""The learning rate schedule of the configs, written once."""

from __future__ import annotations

from typing import Any


def warmup_cosine(
    max_epochs: int, warmup_epochs: int = 0, warmup_steps: int = 0
) -> list[dict[str, Any]]:
    """Linear warm-up from a hundredth of the rate, and cosine decay to a hundredth.

    Configs call it as they call :mod:`lcr_mmaction.transforms.pipelines`, and keep
    plain lists.

    Args:
        max_epochs: Epochs of the whole schedule.
        warmup_epochs: Epochs of the warm-up; the decay begins after them.
        warmup_steps: Instead of these, iterations, during which the decay runs already.

    Returns:
        ``param_scheduler``; both parts act at every iteration.

    Raises:
        ValueError: Not one of the two lengths of warm-up is given.
    """
    if bool(warmup_epochs) == bool(warmup_steps):
        raise ValueError(
            "give warmup_epochs or warmup_steps, "
            f"got {warmup_epochs} and {warmup_steps}"
        )
    by_epoch = dict(by_epoch=True, convert_to_iter_based=True)
    warmup: dict[str, Any] = (
        dict(by_epoch, end=warmup_epochs)
        if warmup_epochs
        else dict(by_epoch=False, end=warmup_steps)
    )
    return [
        dict(type="LinearLR", start_factor=0.01, begin=0, **warmup),
        dict(
            type="CosineAnnealingLR",
            eta_min_ratio=0.01,
            begin=warmup_epochs,
            end=max_epochs,
            **by_epoch,
        ),
    ]
