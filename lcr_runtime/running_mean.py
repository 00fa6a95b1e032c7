"""A clip's mean over frames, for frames that keep coming."""

from __future__ import annotations

import numpy as np

# Of sums of intervals, which are rounded to thousandths: three thirds are one. Half a
# thousandth more, so that no sum lies on the edge.
ROUNDING = 1.5e-3


class RunningMean:
    """Weighted mean of all frames so far, ``sum f^age x / sum f^age``.

    A frame's weight shrinks by the factor ``f`` with every later one: 1 is the plain
    mean since the start, which equals a clip's; 0 is the last frame alone. Every row
    is a mean of its own.

    Args:
        factor: ``f``, in [0, 1].
        shape: Of all rows together; the last axis is what is averaged.

    Raises:
        ValueError: The factor is out of range.
    """

    def __init__(self, factor: float, shape: tuple[int, ...]) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"a running mean's factor lies in [0, 1], got {factor}")
        self.factor = factor
        self._sum = np.zeros(shape)
        self._weight = np.zeros((*shape[:-1], 1))

    def reset(self, rows: np.ndarray, which: np.ndarray | None = None) -> None:
        """Forget what some rows were given.

        Args:
            rows: Indices ``[M]`` on the first axis.
            which: Booleans over the M rows and further axes but the last; all of
                them if None.
        """
        keep = 0.0 if which is None else ~which[..., None]
        self._sum[rows] *= keep
        self._weight[rows] *= keep

    def add(
        self,
        values: np.ndarray,
        rows: np.ndarray,
        elapsed: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """Take a frame's values of some rows; return their means, same shape.

        Args:
            values: ``[M, ...]``.
            rows: Indices ``[M]``.
            elapsed: For how many frames each of these counts, ``[M]``.
        """
        time = np.reshape(elapsed, (-1, *[1] * (values.ndim - 1)))
        keep = self.factor**time
        self._sum[rows] = keep * self._sum[rows] + time * values
        self._weight[rows] = keep * self._weight[rows] + time
        return self._sum[rows] / self._weight[rows]


class Smoothing:
    """Exponential moving average, ``y = share * y + (1 - share) * x``.

    A row starts with the first value it is given.

    Args:
        share: Of the past, in [0, 1).
        shape: Of all rows together.

    Raises:
        ValueError: The share is out of range.
    """

    def __init__(self, share: float, shape: tuple[int, ...]) -> None:
        if not 0 <= share < 1:
            raise ValueError(f"smoothing must lie in [0, 1), got {share}")
        self.share = share
        self._past = np.zeros(shape)
        self._begun = np.zeros(shape[0], bool)

    def reset(self, rows: np.ndarray) -> None:
        """Start some rows (indices) anew."""
        self._begun[rows] = False

    def add(
        self,
        values: np.ndarray,
        rows: np.ndarray,
        elapsed: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """Take a frame's values of some rows, as :class:`RunningMean` does."""
        share = np.where(self._begun[rows], self.share**elapsed, 0.0)
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        self._begun[rows] = True
        self._past[rows] = share * self._past[rows] + (1 - share) * values
        return self._past[rows]


def smooth(
    scores: np.ndarray, share: float, elapsed: np.ndarray | None = None
) -> np.ndarray:
    """:class:`Smoothing` of a whole video's frames.

    Args:
        scores: ``[T, num_classes]``.
        share: Of the past, in [0, 1).
        elapsed: For how many frames each counts, ``[T]``; 1 if None.
    """
    average, row = Smoothing(share, (1, scores.shape[1])), np.zeros(1, np.int64)
    times = np.ones(len(scores)) if elapsed is None else elapsed
    frames = zip(scores, times, strict=True)
    return np.array([average.add(now[None], row, time)[0] for now, time in frames])


def intervals(
    times: np.ndarray, before: np.ndarray | float, rate: float | None
) -> np.ndarray:
    """Times between frames, in those between the frames of training.

    Args:
        times: Of frames, seconds.
        before: Of the frames before them; NaN where there is none.
        rate: Frames a second of training; None where that is unknown.

    Returns:
        To a thousandth, which is also the least: clocks may stand still or go back. 1
        where a time or the rate is unknown.
    """
    elapsed = np.maximum(np.round((times - before) * (rate or np.nan), 3), 1e-3)
    return np.where(np.isnan(elapsed), 1.0, elapsed)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis; huge logits do not overflow."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
