"""A clip's mean over frames, for frames that keep coming."""

from __future__ import annotations

import numpy as np


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

    def add(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Take a frame's values of some rows; return their means, same shape."""
        self._sum[rows] = self.factor * self._sum[rows] + values
        self._weight[rows] = self.factor * self._weight[rows] + 1
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

    def add(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Take a frame's values of some rows; return the averages, same shape."""
        share = np.where(self._begun[rows], self.share, 0.0)
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        self._begun[rows] = True
        self._past[rows] = share * self._past[rows] + (1 - share) * values
        return self._past[rows]


def smooth(scores: np.ndarray, share: float) -> np.ndarray:
    """:class:`Smoothing` of a whole video's frames.

    Args:
        scores: ``[T, num_classes]``.
        share: Of the past, in [0, 1).
    """
    average, row = Smoothing(share, (1, scores.shape[1])), np.zeros(1, np.int64)
    return np.array([average.add(now[None], row)[0] for now in scores])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis; huge logits do not overflow."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
