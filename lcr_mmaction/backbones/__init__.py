"""Backbones, registered in MMAction2's ``MODELS``."""

from .lcr import LCRBackbone, LCRState

__all__ = ["LCRBackbone", "LCRState"]
