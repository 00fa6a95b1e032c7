"""Hooks that refuse wrong runs before they start, and lose nothing of right ones."""

from .atomic_checkpoint import AtomicCheckpointHook
from .checkpoint_guard import CheckpointGuardHook, CheckpointMismatchError
from .compile_backbone import CompileBackboneHook
from .data_guard import (
    DataGuardHook,
    LabelError,
    LabelRangeError,
    LabelTableError,
)
from .exact_resume import ExactResumeHook
from .keep_memory import KeepMemoryHook
from .threads import ThreadsHook

__all__ = [
    "AtomicCheckpointHook",
    "CheckpointGuardHook",
    "CheckpointMismatchError",
    "CompileBackboneHook",
    "DataGuardHook",
    "ExactResumeHook",
    "LabelError",
    "LabelRangeError",
    "LabelTableError",
    "KeepMemoryHook",
    "ThreadsHook",
]
