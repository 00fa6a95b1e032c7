"""Heads, registered in MMAction2's ``MODELS``."""

from .frame_head import LCRFrameHead
from .lcr_head import LCRHead

__all__ = ["LCRFrameHead", "LCRHead"]
