"""What computes the model's step, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

PRECISIONS = ("fp32", "bf16", "fp16")


class Engine(ABC):
    """A model's step, and the states of the streams that it has read.

    State in, state out: after :meth:`begin`, every call of :meth:`step` reads one frame
    of some streams, each by its own R states (the replicas of a policy). Streams are
    independent. All engines give the same logits, to the rounding of their precision.

    Attributes:
        name: As users choose it.
        precision: One of :data:`PRECISIONS`: of matrix products and what lies between
            them. Frames, states and logits are the same for all.
    """

    name: str
    precision: str

    @abstractmethod
    def prepare(self, frame: np.ndarray, channel_order: str) -> np.ndarray:
        """Make the model's picture of a raw frame.

        Args:
            frame: ``H x W x 3`` uint8, of any size.
            channel_order: ``'bgr'`` or ``'rgb'``, of ``frame``.

        Returns:
            ``H x W x C`` uint8: RGB and, where the model needs it, the edge map.

        Raises:
            TypeError: The frame is not a uint8 array.
            ValueError: It is not ``H x W x 3``, or does not fit the model.
        """

    @abstractmethod
    def begin(self, num_streams: int, replicas: int) -> None:
        """Forget all states; S streams of R states each start anew."""

    @abstractmethod
    def restart(self, streams: np.ndarray) -> None:
        """Start all states of some streams (indices) anew."""

    @abstractmethod
    def step(
        self,
        pictures: Sequence[np.ndarray],
        streams: np.ndarray,
        anew: np.ndarray,
        fade: float,
        elapsed: np.ndarray | None = None,
    ) -> np.ndarray:
        """Read a frame of M streams.

        Args:
            pictures: M of them, from :meth:`prepare`.
            streams: Their indices ``[M]``.
            anew: Booleans ``[M, R]``: states to start anew before the step.
            fade: What the recurrent part of the states keeps over an interval between
                the frames of training, in (0, 1].
            elapsed: Such intervals since the last frame of each stream, ``[M]``; None
                where all are 1. A state that starts anew has had no last frame: 1.

        Returns:
            Logits ``[M, R, num_classes]``, float32.
        """

    @abstractmethod
    def fork(self) -> Engine:
        """An engine of the same weights, which take memory once, without streams.

        It may run in another thread at the same time.
        """

    @abstractmethod
    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        """A :meth:`fork` whose streams have read the same frames."""
