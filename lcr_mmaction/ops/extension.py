"""Finding, building and loading the compiled kernels, on first use."""

from __future__ import annotations

import functools
import logging
import os
import time
import warnings

import torch

JIT_VARIABLE = "LCR_OPS_JIT"

_logger = logging.getLogger("lcr_mmaction")


@functools.cache
def why_missing(kind: str) -> str | None:
    """Load the ``'cpu'`` or ``'cuda'`` kernel; build it first if need be and allowed.

    Tried once per process.

    Returns:
        None once the kernel is loaded, else why it is not and how to get it.
    """
    # Imported late, so that `python -m lcr_mmaction.ops.build` runs it only once.
    from . import build

    library = build.find_library(kind)
    if library is None:
        if os.environ.get(JIT_VARIABLE, "1") == "0":
            return (
                f"it is not built and {JIT_VARIABLE}=0 forbids building it now; "
                f"run `{build.COMMAND}`"
            )
        directory = build.cache_directory()
        try:
            if kind == "cpu":
                build.compiler()
            else:
                build.nvcc_for_torch()
            _logger.warning(
                "bi_wkv: compiling the %s kernel once, into %s", kind.upper(), directory
            )
            started = time.monotonic()
            library = build.build(kind, directory, build.targets_here(kind))
            _logger.info("bi_wkv: compiled in %.0f s", time.monotonic() - started)
        except build.BuildError as error:
            return str(error)
    try:
        torch.ops.load_library(library)
    except OSError as error:
        return f"{library} does not load ({error}); delete it and run `{build.COMMAND}`"
    return None


@functools.cache
def is_loaded_or_warn(kind: str) -> bool:
    """Whether the kernel is there; if not, say so once."""
    reason = why_missing(kind)
    if reason is None:
        return True
    warnings.warn(
        f"bi_wkv runs in plain PyTorch, several times slower than the {kind.upper()} "
        f"kernel, which is missing: {reason}",
        stacklevel=2,
    )
    return False
