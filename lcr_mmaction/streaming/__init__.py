"""Using a trained LCR: streams, one frame at a time."""

from .events import EventDetector, GestureEvent
from .policies import POLICIES
from .preprocess import FramePreprocessor
from .recognizer import StreamingRecognizer
from .result import StreamResult
from .sources import open_source

__all__ = [
    "POLICIES",
    "EventDetector",
    "FramePreprocessor",
    "GestureEvent",
    "StreamResult",
    "StreamingRecognizer",
    "open_source",
]
