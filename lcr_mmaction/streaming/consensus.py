"""A clip's mean over frames, for frames that keep coming."""

from __future__ import annotations

import numpy as np


class FrameConsensus:
    """Weighted running mean of the logits that each state gives.

    A frame's weight shrinks by ``factor`` with every later one: 1 is the plain mean
    since the state's start, which equals a clip's; 0 is the last frame alone.

    Args:
        factor: In [0, 1].
        num_streams: Streams S.
        replicas: States R a stream.
        num_classes: K.
    """

    def __init__(
        self, factor: float, num_streams: int, replicas: int, num_classes: int
    ) -> None:
        self.factor = factor
        self._sum = np.zeros((num_streams, replicas, num_classes))
        self._weight = np.zeros((num_streams, replicas, 1))

    def reset(self, streams: np.ndarray, which: np.ndarray | None = None) -> None:
        """Forget what some states said.

        Args:
            streams: Indices ``[M]``.
            which: Booleans ``[M, R]``; all states if None.
        """
        keep = 0.0 if which is None else ~which[..., None]
        self._sum[streams] *= keep
        self._weight[streams] *= keep

    def add(self, logits: np.ndarray, streams: np.ndarray) -> np.ndarray:
        """Take logits ``[M, R, K]``; return the means' softmax, same shape."""
        self._sum[streams] = self.factor * self._sum[streams] + logits
        self._weight[streams] = self.factor * self._weight[streams] + 1
        mean = self._sum[streams] / self._weight[streams]
        powers = np.exp(mean - mean.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
