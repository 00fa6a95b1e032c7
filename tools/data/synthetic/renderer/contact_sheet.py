"""A picture of clips as rows of frames, to see what the classes look like."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .classes import CLASSES
from .person import DEFAULT_CLUTTER, FRAME_HEIGHT, FRAME_WIDTHS
from .plan import plan_clip
from .render import render_clip

_LABEL_WIDTH = 190
_CELL = max(FRAME_WIDTHS) + 2


def contact_sheet(
    labels: Sequence[int],
    columns: int = 8,
    split: str = "validation",
    seed: int = 0,
    mean_frames: float = 32,
    example: int = 0,
    clutter: float = DEFAULT_CLUTTER,
) -> np.ndarray:
    """Draw one row of equally spaced frames per class.

    Args:
        labels: Class indices, a row each.
        columns: Frames per row, at least 1.
        split: `train` or `validation`.
        seed: Seed of the data set.
        mean_frames: Mean clip length.
        example: Which clip of each class: the same clip as in a data set rendered
            with this seed.
        clutter: See `make_person`.

    Returns:
        `[rows * 102, width, 3]` uint8, blue-green-red.

    Raises:
        ValueError: A label or the number of columns is out of range.
    """
    if columns < 1:
        raise ValueError(f"columns = {columns}: expected at least 1")
    rows = []
    for label in labels:
        index = label + len(CLASSES) * example
        plan = plan_clip(seed, split, index, mean_frames, len(CLASSES), clutter)
        clip = render_clip(label, plan.make_person(), plan.rng(), plan.num_frames)
        row = np.zeros((FRAME_HEIGHT + 2, _LABEL_WIDTH + columns * _CELL, 3), np.uint8)
        text = f"{label} {CLASSES[label]}"
        font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
        cv2.putText(row, text, (4, 54), font, 0.36, white, 1, cv2.LINE_AA)
        for column in range(columns):
            frame = clip[int((column + 0.5) * len(clip) / columns)]
            left = _LABEL_WIDTH + column * _CELL
            row[1:-1, left : left + frame.shape[1]] = frame
        rows.append(row)
    return np.concatenate(rows)
