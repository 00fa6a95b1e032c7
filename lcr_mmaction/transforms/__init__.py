"""Pipeline transforms, registered in ``mmaction.registry.TRANSFORMS``."""

from .edge_extract import EDGE_METHODS, EdgeExtract, edge_map
from .stream_window import IGNORED, FrameTargets, SampleWindow
from .tube_mask import TubeMask

__all__ = [
    "EDGE_METHODS",
    "IGNORED",
    "EdgeExtract",
    "FrameTargets",
    "SampleWindow",
    "TubeMask",
    "edge_map",
]
