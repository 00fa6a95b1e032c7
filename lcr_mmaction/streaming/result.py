"""What is known of a stream after a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .events import GestureEvent


@dataclass(frozen=True)
class StreamResult:
    """What is known after a frame.

    Attributes:
        index: Frames the model has read of this stream before this one.
        time: The frame's, in seconds.
        scores: Smoothed probabilities ``[num_classes]``.
        label: Name of the class with the highest score.
        score: That score.
        events: Gestures that started or ended with this frame.
        gesture: The gesture that goes on, or None.
        image: The raw frame, as it was given.
        picture: What the model saw, ``H x W x C`` uint8: RGB and, where the
            pipeline has ``EdgeExtract``, the edge map.
        latency: Seconds from the raw frame to this result; of the whole batch.
        dropped: Frames the source has dropped so far.
        stream: Index of the stream in the batch.
    """

    index: int
    time: float
    scores: np.ndarray
    label: str
    score: float
    events: tuple[GestureEvent, ...]
    gesture: GestureEvent | None
    image: np.ndarray
    picture: np.ndarray
    latency: float
    dropped: int = 0
    stream: int = 0
