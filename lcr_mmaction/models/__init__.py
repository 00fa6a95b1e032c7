"""The model: the backbone, its parts (one a file) and its heads."""

from .backbone import LCRBackbone
from .data_preprocessor import LCRDataPreprocessor
from .frame_head import LCRFrameHead
from .head import LCRHead
from .recognizer import LCRRecognizer
from .state import BlockState, LCRState

__all__ = [
    "BlockState",
    "LCRBackbone",
    "LCRDataPreprocessor",
    "LCRFrameHead",
    "LCRHead",
    "LCRRecognizer",
    "LCRState",
]
