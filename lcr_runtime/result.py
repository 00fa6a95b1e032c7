"""What is known of a stream after a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .edge_methods import sobel_relative
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
        picture: What the model was given, ``H x W x C`` uint8: RGB and, where the
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

    @property
    def edges(self) -> np.ndarray:
        """The edges that the model saw, ``H x W`` uint8, made when asked for.

        A picture without them leaves them to the model's graph, whose one method
        gives these, within a hundredth of the range: it sees the channels normalised.
        """
        if self.picture.shape[2] == 4:
            return self.picture[..., 3]
        # As there, of a grey that is not rounded.
        pixels = self.picture.astype(np.float32)
        return sobel_relative(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
