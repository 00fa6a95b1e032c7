"""Using a trained LCR: streams, one frame at a time."""

from lcr_runtime.events import EventDetector, GestureEvent
from lcr_runtime.options import StreamOptions
from lcr_runtime.policies import POLICIES, Policy, register_policy
from lcr_runtime.readout import Readout
from lcr_runtime.result import StreamResult
from lcr_runtime.sources import open_source

from .pipeline import FramePreprocessor
from .recognizer import StreamingRecognizer

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
