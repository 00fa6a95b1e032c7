"""Pipeline transforms, registered in ``mmaction.registry.TRANSFORMS``."""

from lcr_runtime.edge_methods import EDGE_METHODS, edge_map

from .edge_extract import EdgeExtract
from .random_affine import RandomAffine
from .random_grey import RandomGrey
from .relative_crop import RandomRelativeCrop
from .stream_window import IGNORED, FrameTargets, SampleWindow
from .temporal_crop import RandomTemporalCrop
from .time_warp import TimeWarpedSample
from .tube_mask import TubeMask
from .varied_rate import SampleVariedRate
from .video_read import VideoDecode, VideoInit

__all__ = [
    "EDGE_METHODS",
    "IGNORED",
    "EdgeExtract",
    "FrameTargets",
    "RandomAffine",
    "RandomGrey",
    "RandomRelativeCrop",
    "RandomTemporalCrop",
    "SampleVariedRate",
    "SampleWindow",
    "TimeWarpedSample",
    "TubeMask",
    "VideoDecode",
    "VideoInit",
    "edge_map",
]
