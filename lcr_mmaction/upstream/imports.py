"""Modules that MMAction2 needs and that an environment can lack."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any


def check_mmcv() -> None:
    """Say how to install MMCV where it is missing.

    The fault: MMAction2 declares neither ``mmcv`` nor ``mmcv-lite`` as a requirement,
    and fails with a bare ``No module named 'mmcv'``.

    Raises:
        ImportError: No edition of MMCV is installed.
    """
    if find_spec("mmcv") is None:
        raise ImportError(
            "MMAction2 needs MMCV >= 2.0.0rc4, < 2.2.0, and none is installed. Run "
            "`pip install 'mmcv-lite<2.2'` (pure Python, enough for LCR) or "
            "`pip install 'mmcv<2.2'` (with compiled operators), never both."
        )


class _DRNPlaceholder(Loader, MetaPathFinder):
    """Finds ``mmaction.models.localizers.drn`` where nothing else finds it."""

    package = "mmaction.models.localizers.drn"

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Answer for the missing package and its one module, for nothing else."""
        if fullname not in (self.package, f"{self.package}.drn"):
            return None
        return spec_from_loader(fullname, self, is_package=fullname == self.package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the making of the module to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill in the one name that MMAction2 imports from there."""
        if module.__name__.endswith(".drn.drn"):
            module.DRN = _MissingDRN  # type: ignore[attr-defined]


class _MissingDRN:
    """Stands where MMAction2's wheel lacks the DRN localizer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "The installed MMAction2 lacks the DRN localizer: its wheel was built "
            "without mmaction/models/localizers/drn. Install MMAction2 from source to "
            "use it; LCR does not need it."
        )


def mend_missing_drn() -> None:
    """Let ``import mmaction.models`` succeed without the DRN localizer.

    The fault: the wheel of MMAction2 1.2.0 lacks the folder
    ``mmaction/models/localizers/drn`` that its ``localizers/__init__.py`` imports
    (MMAction2 issue 2714). Inactive where the folder is there; elsewhere a finder
    placed last on ``sys.meta_path`` answers for it when nothing else does.
    """
    mmaction = find_spec("mmaction")
    if mmaction is None or mmaction.origin is None:
        return  # the import of mmaction that follows tells this better
    if (Path(mmaction.origin).parent / "models" / "localizers" / "drn").is_dir():
        return
    if not any(isinstance(finder, _DRNPlaceholder) for finder in sys.meta_path):
        sys.meta_path.append(_DRNPlaceholder())
