"""What is known of a stream after a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .events import GestureEvent


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the model's answer to a frame means for its stream.

    Why does a stream's score differ from a clip's? ``logits`` are what the model says
    of this frame with the state that spoke; their mean over the state's ``age``
    frames (of heads that average a clip), through a softmax, equals what the model
    says of the clip of just these frames. ``scores`` are that, smoothed over time.

    Attributes:
        index: Frames the model has read of this stream before this one.
        time: The frame's, in seconds.
        logits: Of this frame, by the state that spoke, ``[num_classes]``.
        age: Frames that state has read since it started, this one among them.
        replica: Which of the policy's states it is.
        scores: Smoothed probabilities ``[num_classes]``.
        label: Name of the class with the highest score.
        score: That score.
        events: Gestures that started or ended with this frame.
        gesture: The gesture that goes on, or None.
        stream: Index of the stream in the batch.
    """

    index: int
    time: float
    logits: np.ndarray
    age: int
    replica: int
    scores: np.ndarray
    label: str
    score: float
    events: tuple[GestureEvent, ...]
    gesture: GestureEvent | None
    stream: int = 0


@dataclass(frozen=True, kw_only=True)
class StreamResult(Reading):
    """A reading with the frame it belongs to.

    Attributes:
        image: The raw frame, as it was given.
        picture: What the model saw, ``H x W x C`` uint8: RGB and, where the
            pipeline has ``EdgeExtract``, the edge map.
        latency: Seconds from the raw frame to this result; of the whole batch.
        dropped: Frames the source has dropped so far.
        read: Whether the model has read the frame. One that comes too soon after the
            last, :meth:`.readout.Readout.due`, repeats what was said of that, without
            its events.
    """

    image: np.ndarray
    picture: np.ndarray
    latency: float
    dropped: int = 0
    read: bool = True
