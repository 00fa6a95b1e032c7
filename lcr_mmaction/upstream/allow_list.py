"""What a checkpoint may name besides tensors: the globals of MMEngine's training logs.

A checkpoint is a pickle, which can name any function and call it. ``torch.load`` with
``weights_only=True`` lets it name only what rebuilds tensors and plain containers. The
checkpoints of MMEngine's runner also hold its message hub, that is
:class:`~mmengine.logging.HistoryBuffer` objects with NumPy arrays inside. They are let
in here, under the names of NumPy 1 and 2, and where the original is more powerful than
a training log needs, as a narrower stand-in.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pickle import UnpicklingError
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

# Where NumPy 2 has what NumPy 1 has in `numpy.core`.
_multiarray: Any = import_module(
    "numpy._core.multiarray" if find_spec("numpy._core") else "numpy.core.multiarray"
)

# bool, integers, floats and complex numbers: types whose bytes are only numbers.
_NUMERIC = "?bhilqBHILQefdFD"
_STATISTICS = ("min", "max", "current", "mean")


def numeric_dtype(name: str, align: bool = False, copy: bool = False) -> np.dtype:
    """Stand in for ``numpy.dtype``, for numbers only.

    An array of objects or records could smuggle in pointers.

    Raises:
        UnpicklingError: ``name`` is no numeric type.
    """
    dtype = np.dtype(name, align, copy)
    if dtype.char not in _NUMERIC:
        raise UnpicklingError(f"numpy.dtype({name!r}) is not a numeric type")
    return dtype


def history_statistic(owner: Any, name: str) -> Callable[..., float]:
    """Stand in for ``getattr``, by which a history buffer names its statistics.

    Raises:
        UnpicklingError: Anything else is asked for.
    """
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise UnpicklingError(f"getattr of {name!r} is not allowed")
    return getattr(HistoryBuffer, name)


def latin1_bytes(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, by which Python 2's pickles write bytes.

    Raises:
        UnpicklingError: Another encoding is asked for.
    """
    if encoding != "latin1":
        raise UnpicklingError(f"_codecs.encode to {encoding!r} is not allowed")
    return text.encode(encoding)


def allowed_globals() -> dict[str, Any]:
    """Return the allow-list: what to use for each dotted name in a checkpoint."""
    allowed: dict[str, Any] = {
        "mmengine.logging.history_buffer.HistoryBuffer": HistoryBuffer,
        "builtins.getattr": history_statistic,
        "_codecs.encode": latin1_bytes,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": numeric_dtype,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed[f"{module}._reconstruct"] = _multiarray._reconstruct
        allowed[f"{module}.scalar"] = _multiarray.scalar
    # The classes of the dtypes themselves, whose state is restored after creation.
    for char in _NUMERIC:
        kind = type(np.dtype(char))
        allowed[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return allowed
