"""Running a trained model on streams of frames, with neither PyTorch nor MMAction2.

NumPy, OpenCV and an engine are all it needs. :mod:`lcr_mmaction` trains models, and
shares this code; nothing here imports it.
"""

from .events import EventDetector, GestureEvent
from .options import StreamOptions
from .policies import POLICIES, Policy, register_policy
from .readout import Readout
from .recognizer import StreamRecognizer, load_recognizer
from .result import Reading, StreamResult
from .sources import open_source

__all__ = [
    "POLICIES",
    "EventDetector",
    "GestureEvent",
    "Policy",
    "Reading",
    "Readout",
    "StreamOptions",
    "StreamRecognizer",
    "StreamResult",
    "load_recognizer",
    "open_source",
    "register_policy",
]
