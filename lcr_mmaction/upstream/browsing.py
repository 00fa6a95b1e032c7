"""Browsing a dataset whose frames carry an edge map as their fourth channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mmaction.registry import DATASETS

_RAW = "imgs_before_display"
_MASKED = 127


def as_picture(frame: np.ndarray) -> np.ndarray:
    """Turn a frame of LCR's pipeline into one that can be shown.

    Args:
        frame: ``[H, W, C]``, uint8, or float16 with ``-inf`` where ``TubeMask`` hid a
            patch.

    Returns:
        uint8 RGB, hidden patches in grey; with the edge map on the right,
        ``[H, 2 W, 3]``, if the frame has a fourth channel.
    """
    if frame.dtype != np.uint8:
        frame = np.where(np.isneginf(frame), _MASKED, frame).astype(np.uint8)
    if frame.shape[-1] != 4:
        return frame
    return np.hstack([frame[..., :3], np.repeat(frame[..., 3:], 3, axis=-1)])


class _Shown:
    """A transform that leaves pictures behind and gives the next one its frames."""

    def __init__(self, transform: Callable[[dict], dict | None]) -> None:
        self.transform = transform

    def __call__(self, results: dict) -> dict | None:
        if _RAW in results:
            results["imgs"] = results.pop(_RAW)
        after = self.transform(results)
        if after is not None and isinstance(after.get("imgs"), list):
            after[_RAW] = after["imgs"]
            after["imgs"] = [as_picture(frame) for frame in after["imgs"]]
        return after


def show_frames_as_pictures() -> None:
    """Make the datasets built from now on pass displayable frames to an inspector.

    The fault: MMAction2's ``browse_dataset.py`` looks at ``imgs`` after every
    transform and can show only frames of three channels. For that script's door; it
    is no way to train.
    """
    build = DATASETS.build

    def build_shown(*args: Any, **kwargs: Any) -> Any:
        dataset = build(*args, **kwargs)
        # The script prints the name of each transform's class.
        dataset.pipeline.transforms = [
            type(type(transform).__name__, (_Shown,), {})(transform)
            for transform in dataset.pipeline.transforms
        ]
        return dataset

    DATASETS.build = build_shown
