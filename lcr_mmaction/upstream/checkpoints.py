"""Loading checkpoints without running code that they bring along."""

from __future__ import annotations

import functools
import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import _weights_only_unpickler

from .allow_list import allowed_globals

UNSAFE_VARIABLE = "LCR_UNSAFE_CHECKPOINTS"
_FORCE_SAFE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_FORCE_UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class CheckpointError(RuntimeError):
    """A checkpoint was refused, or cannot be read."""


def unsafe_loading_chosen() -> bool:
    """Tell whether the user chose to let checkpoints run code."""
    return os.environ.get(UNSAFE_VARIABLE, "").lower() in ("1", "true", "yes")


@contextmanager
def weights_only(enabled: bool = True) -> Iterator[None]:
    """Set whether every ``torch.load`` inside loads weights only.

    PyTorch's own switches in the environment also reach the calls of ``torch.load``
    that set nothing (MMEngine's) or explicitly load unsafely (PyTorch's hub).
    """
    saved = {name: os.environ.pop(name, None) for name in (_FORCE_SAFE, _FORCE_UNSAFE)}
    os.environ[_FORCE_SAFE if enabled else _FORCE_UNSAFE] = "1"
    try:
        yield
    finally:
        for name, value in saved.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def training_logs_allowed() -> Any:
    """Return a context in which weights-only loading accepts MMEngine's logs.

    It accepts nothing more on PyTorch before 2.6, which takes no stand-ins.
    """
    if not _has_stand_ins():
        return nullcontext()
    pairs = [(value, name) for name, value in allowed_globals().items()]
    return torch.serialization.safe_globals(pairs)


def _has_stand_ins() -> bool:
    """Tell whether ``safe_globals`` takes (object, name) pairs: PyTorch >= 2.6."""
    return tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 6)


class _AllowListUnpickler(pickle.Unpickler):
    """An unpickler that finds what is on the allow-lists and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        allowed = _weights_only_unpickler._get_allowed_globals() | allowed_globals()
        if path not in allowed:
            raise pickle.UnpicklingError(f"Unsupported global: GLOBAL {path}")
        return allowed[path]


def load_with_allow_list(filename: str, map_location: Any = None) -> Any:
    """Load a local checkpoint safely on a PyTorch before 2.6."""
    if not os.path.isfile(filename):
        raise FileNotFoundError(f"{filename} can not be found.")
    module = SimpleNamespace(
        __name__="lcr_allow_list",
        Unpickler=_AllowListUnpickler,
        load=lambda file, **kwargs: _AllowListUnpickler(file, **kwargs).load(),
    )
    return torch.load(
        filename, map_location=map_location, pickle_module=module, weights_only=False
    )


def explain(filename: str, error: Exception) -> CheckpointError:
    """Turn what ``torch.load`` raised into one clear message."""
    refused = re.search(r"GLOBAL (\S+)", str(error)) or re.search(
        r"(numpy\.dtype\(.*?\)|getattr of '.*?')", str(error)
    )
    if refused:
        return CheckpointError(
            f"Refused to load the checkpoint {filename}: it asks for {refused[1]}, "
            "which weights and training logs do not need and which could run code. "
            "Only if you trust its author, set the environment variable "
            f"{UNSAFE_VARIABLE}=1 to load it all the same."
        )
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return CheckpointError(
        f"Cannot read the checkpoint {filename}: it is truncated, damaged or no "
        f"checkpoint ({reason[0][:200]}). If a run was killed while it saved, resume "
        "from an earlier file with `--resume FILE`, or delete this one and write the "
        "earlier file's name into `last_checkpoint` beside it."
    )


def _is_about_content(filename: str, error: Exception) -> bool:
    """Tell a refused or damaged checkpoint from one that is missing or out of reach."""
    if isinstance(error, pickle.UnpicklingError):
        return True
    if isinstance(error, RuntimeError):
        return "PytorchStreamReader" in str(error)
    # A damaged pickle fails in many ways, each of them while a local file is read.
    return os.path.isfile(filename) and not isinstance(error, (OSError, ImportError))


def safely(loader: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a loader of MMEngine so that checkpoints cannot run code.

    Args:
        loader: Takes a file name or address and a map location.

    Returns:
        The same loader, which raises :class:`CheckpointError` for a checkpoint that
        asks for more than weights and training logs, or that cannot be read.
    """

    @functools.wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        if unsafe_loading_chosen():
            warnings.warn(
                f"{UNSAFE_VARIABLE} is set: the checkpoint {filename} is loaded "
                "without protection and can run code.",
                stacklevel=2,
            )
            with weights_only(False):
                return loader(filename, *args, **kwargs)
        try:
            if loader.__name__ == "load_from_local" and not _has_stand_ins():
                return load_with_allow_list(filename, *args, **kwargs)
            with weights_only(), training_logs_allowed():
                return loader(filename, *args, **kwargs)
        except Exception as error:
            if _is_about_content(filename, error):
                raise explain(filename, error) from error
            raise

    return load


def mend_checkpoint_loading() -> None:
    """Load checkpoints safely, and those of MMEngine's own runner at all.

    The fault: MMEngine 0.10 calls ``torch.load`` without ``weights_only``. PyTorch
    before 2.6 then runs any code that a checkpoint brings; later ones refuse the
    training logs in MMEngine's own checkpoints (``Unsupported global ...
    HistoryBuffer``), so that resuming and testing fail; and a checkpoint behind an
    address is loaded unsafely by any PyTorch. Every loader that MMEngine registers
    is wrapped through its public hook, :meth:`CheckpointLoader.register_scheme`.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not hasattr(loader, "__wrapped__"):
            CheckpointLoader.register_scheme(prefix, safely(loader), force=True)
