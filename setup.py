from __future__ import annotations

import runpy
import shutil
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# MMAction2 1.2.0 asserts this range when it is imported.
MMCV_RANGE = ">=2.0.0rc4,<2.2.0"


def mmcv_requirement() -> str:
    """Ask for the edition of MMCV that the environment has, else for mmcv-lite.

    ``mmcv`` (with compiled operators) and ``mmcv-lite`` (pure Python, all that
    recognition needs) both provide the module ``mmcv`` and overwrite each other, so
    neither can be a fixed requirement. MMAction2 itself declares none.
    """
    # pip builds in an isolated environment that hides the target's packages from
    # sys.path, though not from sysconfig.
    site_packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed = {
        (dist.metadata["Name"] or "").lower()
        for dist in distributions(path=sorted(site_packages))
    }
    return ("mmcv" if "mmcv" in installed else "mmcv-lite") + MMCV_RANGE


def version() -> str:
    """Read the version without importing the package, which needs torch."""
    scope: dict[str, str] = {}
    exec((ROOT / "lcr_mmaction" / "version.py").read_text(encoding="utf-8"), scope)
    return scope["__version__"]


def long_description() -> str:
    """Return the README, or nothing where it was not shipped."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


class BuildWithMim(build_py):
    """Put configs, tools and model index where MIM looks for them.

    That is ``lcr_mmaction/.mim``, a copy made while the package is built. In a clone
    (an editable installation too) they stay where they are, at the top.
    """

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / "lcr_mmaction" / ".mim"
        shutil.rmtree(mim, ignore_errors=True)
        for folder in ("configs", "tools"):
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / folder, mim / folder, ignore=ignored)
        shutil.copy2(ROOT / "model-index.yml", mim)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the copies too, so that an installer knows of them."""
        outputs = super().get_outputs(include_bytecode)
        mim = Path(self.build_lib) / "lcr_mmaction" / ".mim"
        return outputs + [str(path) for path in mim.rglob("*") if path.is_file()]


def build_commands() -> dict:
    """Return how to build: with the kernels where ``LCR_BUILD_OPS=1`` asks for them."""
    # By path: the package itself needs torch, which a plain install does not.
    build = runpy.run_path(str(ROOT / "lcr_mmaction" / "ops" / "build.py"))
    arguments = build["setup_arguments"]()
    return arguments | {
        "cmdclass": {"build_py": BuildWithMim, **arguments.get("cmdclass", {})}
    }


setup(
    name="lcr-mmaction",
    version=version(),
    description="LSTM-CrossRWKV (LCR) video recognition as a plugin for MMAction2",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["lcr_mmaction*", "lcr_runtime*"]),
    package_data={
        "lcr_mmaction": [
            "ops/csrc/*",
            "checkpoints/*.pth",
            "py.typed",
        ],
        "lcr_runtime": ["models/*.onnx", "py.typed"],
    },
    python_requires=">=3.10",
    # Ranges, so that an installed torch is never replaced. requirements/lock.txt
    # holds the exact versions that the one-command set-up uses.
    install_requires=[
        # torch.library.register_autograd came with 2.4.
        "torch>=2.4",
        "mmengine>=0.10.4,<1",
        "mmaction2==1.2.*",
        mmcv_requirement(),
        "numpy>=1.24",
        "opencv-python>=4.7",
        # Decodes videos; its pictures are made in one thread since 17.
        "av>=17",
        "decord>=0.6.0",
        "tensorboard",
        # MMAction2 imports it without declaring it.
        "importlib_metadata",
        # MMEngine imports pkg_resources, which setuptools 82 dropped.
        "setuptools<82",
    ],
    extras_require={
        # moviepy 2 has no `moviepy.editor`, which MMAction2's visualizers import.
        "tools": ["moviepy<2"],
        # The command `lcr`: engines for exported models, the decoder and encoder.
        "live": ["av", "onnxruntime", "openvino"],
        "export": ["onnx", "onnxscript", "onnxruntime"],
        # demo/web_demo.py. It brings a web server.
        "web": ["gradio>=6"],
        "dev": [
            "fvcore",
            "mypy",
            "ninja",
            "openmim",
            "pytest",
            "pytest-xdist",
            "ruff",
        ],
    },
    entry_points={"console_scripts": ["lcr = lcr_runtime.commands.main:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    **build_commands(),
)
