"""Environment of a training process that keeps its memory."""

from __future__ import annotations

# Large tensors come from the heap rather than from fresh pages of the system, which
# takes glibc's malloc a third of a CPU training step otherwise.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}
