"""Say what is installed and what is missing, with the command that mends it."""

from __future__ import annotations

import argparse
import glob
import importlib.metadata
import importlib.util
import os
import platform
import runpy
import sys

from ..engines import installed_engines
from ..shipped import shipped_file

NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-python (or opencv-python-headless: no windows)",
    "av": "av",
}
# Import name: what for, what to install.
ENGINES = {
    "openvino": ("the fastest engine on a CPU, and bf16", "openvino"),
    "onnxruntime": ("an engine", "onnxruntime"),
}
TRAINING = {
    "torch": ("training and export", "lcr-mmaction"),
    "mmaction": ("training and export", "lcr-mmaction"),
    "onnx": ("lcr export", "onnx"),
    "onnxscript": ("lcr export", "onnxscript"),
    "decord": ("MMAction2's video decoder", "decord"),
}
_PROJECTS = {"cv2": "opencv-python", "mmaction": "mmaction2"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command: none."""


def run(args: argparse.Namespace) -> None:
    """Run the command; exit code 1 where `lcr stream` cannot work."""
    print(f"Python {platform.python_version()}, {platform.platform()}")
    broken = [name for name in NEEDED if not _report(name, NEEDED[name], "lcr stream")]
    trains = importlib.util.find_spec("lcr_mmaction") is not None
    for name, (purpose, package) in (ENGINES | (TRAINING if trains else {})).items():
        _report(name, package, purpose)
    if not trains:
        print(
            "note    no lcr-mmaction, for training and export: it wants an environment "
            "of its own, see docs/deployment.md"
        )
    engines = installed_engines()
    if not engines:
        broken.append("an engine")
        print("MISSING an engine for exported models: pip install openvino")
    else:
        print(f"ok      engine auto takes {engines[0]}, of {', '.join(engines)}")
    try:
        print(f"ok      shipped model {shipped_file()}")
    except FileNotFoundError as error:
        broken.append("the shipped model")
        print(f"MISSING {error}")
    _kernels()
    _threads()
    _cameras()
    if broken:
        sys.exit(f"lcr stream cannot work: it lacks {', '.join(broken)}")
    print("lcr stream can work")


def _report(name: str, package: str, purpose: str) -> bool:
    """Print a line about a package; return whether it is there."""
    if importlib.util.find_spec(name) is None:
        print(f"MISSING {name}, for {purpose}: pip install {package}")
        return False
    print(f"ok      {name} {_version(name)}")
    return True


def _version(name: str) -> str:
    for project in (_PROJECTS.get(name, name), f"{_PROJECTS.get(name)}-headless"):
        try:
            return importlib.metadata.version(project)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "(of unknown version)"


def _kernels() -> None:
    """Of the operator, which training and engine torch use."""
    package = importlib.util.find_spec("lcr_mmaction")
    if package is None or importlib.util.find_spec("torch") is None:
        return
    import torch

    # By path, as setup.py does: the package itself would load MMAction2.
    (folder,) = package.submodule_search_locations or [""]
    build = runpy.run_path(os.path.join(folder, "ops", "build.py"))
    for kind in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        try:
            library = build["find_library"](kind)
        except build["BuildError"] as error:
            print(f"note    no {kind} kernel: {error}")
            continue
        if library is None:
            print(
                f"note    the {kind} kernel is not built: it is compiled at first use, "
                f"or now by {build['COMMAND']}"
            )
        else:
            ahead = library.parent == build["AHEAD_OF_TIME"]
            origin = "built with the package" if ahead else "built on first use"
            print(f"ok      {kind} kernel, {origin}: {library}")


def _threads() -> None:
    usable = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count()
    )
    limit = os.environ.get("OMP_NUM_THREADS")
    print(f"ok      {usable} processors, OMP_NUM_THREADS {limit or 'not set'}")


def _cameras() -> None:
    if not sys.platform.startswith("linux"):
        print("note    cameras: try lcr stream 0 --show")
        return
    devices = sorted(glob.glob("/dev/video*"))
    if not devices:
        print("note    no camera (/dev/video*): connect one, or stream a file or URL")
    for device in devices:
        if os.access(device, os.R_OK | os.W_OK):
            print(f"ok      camera {device}")
        else:
            print(f"MISSING the right to open {device}: sudo usermod -aG video $USER")
