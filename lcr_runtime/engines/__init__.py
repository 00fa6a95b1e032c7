"""What computes the model's step: one interface, several engines."""

from __future__ import annotations

import importlib
import importlib.util
from os import PathLike
from pathlib import Path

import numpy as np

from .engine import PRECISIONS, Engine
from .exported import ExportedEngine
from .memory import large_pages

# Fastest first: docs/deployment.md has the figures.
_CLASSES = {
    "openvino": ("openvino_engine", "OpenVINOEngine"),
    "onnxruntime": ("onnxruntime_engine", "ONNXRuntimeEngine"),
}
EXPORTED_ENGINES = tuple(_CLASSES)
"""Engines for exported files, the fastest first."""


def installed_engines() -> list[str]:
    """Those of :data:`EXPORTED_ENGINES` that are installed, the fastest first."""
    return [name for name in EXPORTED_ENGINES if importlib.util.find_spec(name)]


def open_engine(
    path: str | PathLike,
    engine: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
) -> ExportedEngine:
    """Load an exported file.

    Args:
        path: An ONNX file that ``lcr export`` wrote.
        engine: One of :data:`EXPORTED_ENGINES`, or ``'auto'``: the fastest one that is
            installed. The result's ``name`` says which.
        precision: ``'fp32'``, or ``'bf16'`` where engine and processor have it.
        threads: Threads of a step; None leaves the number to the engine.

    Raises:
        FileNotFoundError: There is no such file.
        ModuleNotFoundError: The engine is not installed.
        ValueError: Unknown engine, or the file or the precision does not fit.
    """
    if engine not in (*EXPORTED_ENGINES, "auto"):
        raise ValueError(
            f"engine={engine!r} is unknown: choose auto, {', '.join(EXPORTED_ENGINES)}"
        )
    wanted = EXPORTED_ENGINES if engine == "auto" else (engine,)
    found = [name for name in wanted if name in installed_engines()]
    if not found:
        raise ModuleNotFoundError(
            f"no engine to run {path}: pip install {' or '.join(wanted)}"
        )
    module, name = _CLASSES[found[0]]
    kind = getattr(importlib.import_module(f".{module}", __name__), name)
    with large_pages():
        loaded = kind(Path(path), precision, threads)
        # The first step takes the rest of the memory.
        blank = np.zeros(loaded.picture_shape, np.uint8)
        loaded.step([blank], np.array([0]), np.ones((1, 1), bool), 1.0)
    loaded.begin(1, 1)
    return loaded


__all__ = [
    "EXPORTED_ENGINES",
    "PRECISIONS",
    "Engine",
    "ExportedEngine",
    "installed_engines",
    "open_engine",
]
