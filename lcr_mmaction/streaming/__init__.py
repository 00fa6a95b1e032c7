"""Using a trained LCR: streams, one frame at a time."""

from .events import EventDetector, GestureEvent
from .options import StreamOptions
from .pipeline import FramePreprocessor
from .policies import POLICIES, Policy, register_policy
from .readout import Readout
from .recognizer import StreamingRecognizer
from .result import StreamResult
from .sources import open_source

__all__ = [
    "POLICIES",
    "EventDetector",
    "FramePreprocessor",
    "GestureEvent",
    "Policy",
    "Readout",
    "StreamOptions",
    "StreamResult",
    "StreamingRecognizer",
    "open_source",
    "register_policy",
]
