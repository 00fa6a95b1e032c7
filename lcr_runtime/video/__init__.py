"""Reading video files: upright RGB frames and their times, whatever decodes them.

Needs neither torch nor MMAction2; decoders are imported when they are first used.
"""

from .errors import VideoError
from .frame import Frame, Thinner
from .reader import VideoReader
from .readers import DECODERS, open_video

__all__ = [
    "DECODERS",
    "Frame",
    "Thinner",
    "VideoError",
    "VideoReader",
    "open_video",
]
