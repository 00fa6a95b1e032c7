"""Hooks that refuse a run on wrong data or a wrong checkpoint before it starts."""

from .checkpoint_guard import CheckpointGuardHook, CheckpointMismatchError
from .data_guard import DataGuardHook, LabelRangeError

__all__ = [
    "CheckpointGuardHook",
    "CheckpointMismatchError",
    "DataGuardHook",
    "LabelRangeError",
]
