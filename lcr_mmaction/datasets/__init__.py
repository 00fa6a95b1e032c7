"""Stock MMAction2 datasets that say clearly what is wrong with their input."""

from .annotations import ListFileError
from .checked import CheckedRawframeDataset, CheckedVideoDataset
from .reading import DamagedClipError, MissingClipsError
from .timelines import TimelineDataset

__all__ = [
    "CheckedRawframeDataset",
    "CheckedVideoDataset",
    "DamagedClipError",
    "ListFileError",
    "MissingClipsError",
    "TimelineDataset",
]
