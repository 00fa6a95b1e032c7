"""Heads, registered in MMAction2's ``MODELS``."""

from .lcr_head import LCRHead

__all__ = ["LCRHead"]
