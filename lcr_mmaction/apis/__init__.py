"""Using a trained LCR: streams, one frame at a time."""

from .events import EventDetector, GestureEvent
from .policies import POLICIES
from .preprocess import FramePreprocessor
from .shipped import ShippedModel, shipped_model
from .sources import open_source
from .streaming import StreamingRecognizer, StreamResult

__all__ = [
    "POLICIES",
    "EventDetector",
    "FramePreprocessor",
    "GestureEvent",
    "ShippedModel",
    "StreamResult",
    "StreamingRecognizer",
    "open_source",
    "shipped_model",
]
