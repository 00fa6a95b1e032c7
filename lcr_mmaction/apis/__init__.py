"""Using a trained LCR: streams, one frame at a time."""

from .events import EventDetector, GestureEvent
from .policies import POLICIES
from .preprocess import FramePreprocessor
from .sources import open_source
from .streaming import StreamingRecognizer, StreamResult

__all__ = [
    "POLICIES",
    "EventDetector",
    "FramePreprocessor",
    "GestureEvent",
    "StreamResult",
    "StreamingRecognizer",
    "open_source",
]
