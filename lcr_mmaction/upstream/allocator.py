"""Keeping memory between training steps instead of fetching it anew."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc's numbers of its options, of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LIMIT = 1 << 30


def keep_memory() -> bool:
    """Let glibc's malloc keep freed memory up to 1 GiB a block for the next use.

    It returns large blocks to the system otherwise, and gets every one of them back as
    fresh pages, zeroed one by one: a tenth of a training step on a CPU. What a process
    needs at its peak does not change; it keeps it until it ends.

    Returns:
        Whether it does so now: not with another C library, and not where the
        environment (``MALLOC_...``, ``GLIBC_TUNABLES``) says how it should be.
    """
    chosen = any(x.startswith("MALLOC_") or x == "GLIBC_TUNABLES" for x in os.environ)
    if chosen or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(x, _LIMIT) for x in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD)])
