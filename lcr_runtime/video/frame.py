"""A frame with its time, and the choice of frames by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        image: ``H x W x 3`` uint8.
        time: Seconds since the source's first frame.
        index: Number of the frame in the source, from 0; thinned-out and dropped
            frames count.
    """

    image: np.ndarray
    time: float
    index: int


class Thinner:
    """Choose frames so that no more than ``fps`` a second remain.

    Args:
        fps: Frames per second wanted; None keeps all.

    Raises:
        ValueError: ``fps`` is not above 0.
    """

    def __init__(self, fps: float | None) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self.interval = 0.0 if fps is None else 1.0 / fps
        self._next = -np.inf

    def due(self, time: float) -> bool:
        """Whether to keep the frame of this time (seconds)."""
        # Frame times are sums of rounded intervals: forgive a thousandth of one.
        if time < self._next - 1e-3 * self.interval:
            return False
        # Keep to the beat, unless the frame came too late for it.
        self._next = max(self._next + self.interval, time)
        if self._next <= time:
            self._next = time + self.interval
        return True
