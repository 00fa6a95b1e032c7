"""Loading checkpoints without running code that they bring along."""

from __future__ import annotations

import _compat_pickle
import functools
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import _weights_only_unpickler

from .allow_list import allowed_globals
from .plain_config import is_plain

UNSAFE_VARIABLE = "LCR_UNSAFE_CHECKPOINTS"
_FORCE_SAFE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_FORCE_UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class CheckpointError(RuntimeError):
    """A checkpoint was refused, or cannot be read."""


def unsafe_loading_chosen() -> bool:
    """Tell whether the user chose to let checkpoints run code."""
    return os.environ.get(UNSAFE_VARIABLE, "").lower() in ("1", "true", "yes")


@contextmanager
def safe_torch_load() -> Iterator[None]:
    """Make every ``torch.load`` inside load weights and training logs only.

    That reaches the calls of others too: MMEngine's, which set nothing, and PyTorch's
    hub's, which explicitly ask for an unsafe load.
    """
    # Stand-ins in `safe_globals` came with PyTorch 2.6.
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        with _replaced_torch_load():
            yield
        return
    stand_ins: list[Any] = [(value, name) for name, value in allowed_globals().items()]
    with _switched(_FORCE_SAFE), torch.serialization.safe_globals(stand_ins):
        yield


@contextmanager
def unsafe_torch_load() -> Iterator[None]:
    """Make every ``torch.load`` inside load anything, whatever PyTorch's default."""
    with _switched(_FORCE_UNSAFE):
        yield


@contextmanager
def _switched(name: str) -> Iterator[None]:
    """Set one of PyTorch's two switches in the environment, and unset the other."""
    saved = {key: os.environ.pop(key, None) for key in (_FORCE_SAFE, _FORCE_UNSAFE)}
    os.environ[name] = "1"
    try:
        yield
    finally:
        for key, value in saved.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


class _AllowListUnpickler(pickle.Unpickler):
    """An unpickler that finds what is on the allow-lists and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        # Checkpoints are written with Python 2's names of the standard modules.
        path = f"{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}"
        allowed = _weights_only_unpickler._get_allowed_globals() | allowed_globals()
        if path not in allowed:
            raise pickle.UnpicklingError(f"Unsupported global: GLOBAL {path}")
        return allowed[path]


@contextmanager
def _replaced_torch_load() -> Iterator[None]:
    """Put a ``torch.load`` with our own unpickler in the place of PyTorch's."""
    original = torch.load
    pickle_module = SimpleNamespace(
        __name__="lcr_allow_list",
        Unpickler=_AllowListUnpickler,
        load=lambda file, **kwargs: _AllowListUnpickler(file, **kwargs).load(),
    )

    def load(f: Any, map_location: Any = None, **_: Any) -> Any:
        return original(
            f, map_location, pickle_module=pickle_module, weights_only=False
        )

    torch.load = load  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.load = original


def explain(filename: str, error: Exception) -> CheckpointError:
    """Turn what ``torch.load`` raised into one clear message."""
    refused = re.search(r"GLOBAL (\S+)", str(error)) or re.search(
        r"(numpy\.dtype\(.*?\)|getattr of '.*?'|_codecs\.encode to '.*?')", str(error)
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
    if isinstance(error, RuntimeError) and "CUDA" in str(error):
        return False
    # A damaged file fails in many ways, an invalid seek (OSError) among them.
    elsewhere = (FileNotFoundError, PermissionError, ImportError, MemoryError)
    return os.path.isfile(filename) and not isinstance(error, elsewhere)


def for_another_project() -> bool:
    """Tell whether MMEngine works for a project that is not MMAction2 right now.

    Every tool, runner and inferencer of OpenMMLab says for which project it works:
    its default scope. Where it says none, or MMEngine itself, a load counts as ours.
    """
    scope = DefaultScope.get_current_instance()
    return scope is not None and scope.scope_name not in ("mmaction", "mmengine")


def safely(loader: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a loader of MMEngine so that MMAction2's checkpoints cannot run code.

    Loads for other projects in the same process go through as upstream has them.

    Args:
        loader: Takes a file name or address and a map location.

    Returns:
        The same loader, which raises :class:`CheckpointError` for a checkpoint that
        asks for more than weights and training logs, or that cannot be read.
    """

    @functools.wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        if for_another_project():
            return loader(filename, *args, **kwargs)
        if unsafe_loading_chosen():
            warnings.warn(
                f"{UNSAFE_VARIABLE} is set: the checkpoint {filename} is loaded "
                "without protection and can run code.",
                stacklevel=2,
            )
            with unsafe_torch_load():
                return loader(filename, *args, **kwargs)
        try:
            check_sums(filename)
            with safe_torch_load():
                checkpoint = loader(filename, *args, **kwargs)
        except Exception as error:
            if _is_about_content(filename, error):
                raise explain(filename, error) from error
            raise
        return _checked(filename, checkpoint)

    return load


def check_sums(filename: str) -> None:
    """Compare the parts of a local file of PyTorch's with the sums it keeps of them.

    PyTorch does not: weights with a flipped bit would load.

    Raises:
        RuntimeError: A part was changed.
    """
    if not os.path.isfile(filename) or not zipfile.is_zipfile(filename):
        return
    with zipfile.ZipFile(filename) as archive:
        if changed := archive.testzip():
            raise RuntimeError(f"the sum of its part {changed} is wrong")


def _checked(filename: str, checkpoint: Any) -> Any:
    """Refuse what is no checkpoint, and take out what MMEngine would run.

    Raises:
        CheckpointError: It is none.
    """
    weights = checkpoint
    if isinstance(checkpoint, Mapping):
        weights = checkpoint.get("state_dict", checkpoint)
    if not isinstance(weights, Mapping) or not all(isinstance(k, str) for k in weights):
        raise CheckpointError(
            f"{filename} is no checkpoint: it holds no weights by name, but "
            f"{type(weights).__name__}."
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict) and "config" in meta and not is_plain(meta["config"]):
        # MMEngine runs it as Python when it resumes, to look for a number of GPUs.
        del meta["config"]
        warnings.warn(
            f"The checkpoint {filename} carries a config that holds more than data; "
            "it is left out.",
            stacklevel=3,
        )
    return checkpoint


def mend_checkpoint_loading() -> None:
    """Load checkpoints safely, and those of MMEngine's own runner at all.

    The fault: MMEngine 0.10 calls ``torch.load`` without ``weights_only``. PyTorch
    before 2.6 then runs any code that a checkpoint brings; later ones refuse the
    training logs in MMEngine's own checkpoints (``Unsupported global ...
    HistoryBuffer``), so that resuming and testing fail; and a checkpoint behind an
    address is loaded unsafely by any PyTorch. Every loader that MMEngine registers
    is wrapped through its public hook, :meth:`CheckpointLoader.register_scheme`. That
    table is one for all projects of a process, so the wrapper looks at each load for
    whom it is, and acts for MMAction2 alone.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not hasattr(loader, "__wrapped__"):
            CheckpointLoader.register_scheme(prefix, safely(loader), force=True)
