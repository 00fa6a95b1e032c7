"""``lcr-runtime``: the folder ``lcr_runtime`` of this repository and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def version() -> str:
    """That of the whole project."""
    scope: dict[str, str] = {}
    exec((ROOT / "lcr_mmaction" / "version.py").read_text(encoding="utf-8"), scope)
    return scope["__version__"]


setup(
    name="lcr-runtime",
    version=version(),
    description="Run exported LCR models on live video, without PyTorch",
    license="Apache-2.0",
    packages=find_packages(str(ROOT), include=["lcr_runtime*"]),
    package_dir={"": os.path.relpath(ROOT, HERE)},
    package_data={"lcr_runtime": ["models/*.onnx", "py.typed"]},
    python_requires=">=3.10",
    install_requires=["numpy>=1.24", "opencv-python>=4.7", "av>=17", "onnxruntime"],
    extras_require={"openvino": ["openvino"]},
    entry_points={"console_scripts": ["lcr = lcr_runtime.commands.main:main"]},
)
