"""What ``pip install`` brings, and what MIM makes of it, away from the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmengine import Config
from stream_cases import write_video

ROOT = Path(__file__).parents[2]
needs_mim = pytest.mark.skipif(
    importlib.util.find_spec("mim") is None, reason="needs openmim"
)


def run(*command: object, cwd: Path, **environment: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows: nothing untracked can make the tests pass."""
    source = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    return source


def build_wheel(project: Path, out: Path) -> Path:
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps")
    run(*pip, "--no-build-isolation", "-w", out, project, cwd=out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into, before all others on the path."""
    folder = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target")
    run(*pip, folder, wheel, cwd=folder)
    return folder


def test_the_wheel_holds_what_it_should(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    mim = "lcr_mmaction/.mim"
    assert {
        "lcr_mmaction/py.typed",
        "lcr_mmaction/checkpoints/lcr_jester_stream.pth",
        "lcr_runtime/models/lcr_jester_stream.onnx",
        "lcr_runtime/py.typed",
        f"{mim}/model-index.yml",
        f"{mim}/configs/metafile.yml",
        f"{mim}/configs/lcr_jester.py",
        f"{mim}/configs/_base_/models/lcr_tiny.py",
        f"{mim}/tools/train.py",
        f"{mim}/tools/data/synthetic/render_stream.py",
    } <= names
    top = {name.split("/")[0] for name in names}
    assert all(x.startswith("lcr_") for x in top), top
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    configs = {path.name for path in (ROOT / "configs").glob("*.py")}
    assert configs <= {name.removeprefix(f"{mim}/configs/") for name in names}


def test_the_shipped_model_of_an_installation(installed):
    code = (
        "from lcr_mmaction.deployment import shipped_model as s; print(*s(), sep='\\n')"
    )
    printed = run(
        sys.executable,
        "-W",
        "ignore",
        "-c",
        code,
        cwd=installed,
        PYTHONPATH=str(installed),
    )
    config, checkpoint = printed.splitlines()[-2:]
    assert Path(config).is_relative_to(installed)
    assert Path(checkpoint).is_relative_to(installed)
    own = Config.fromfile(ROOT / "configs" / Path(config).name)
    assert Config.fromfile(config).model == own.model


def test_the_runtime_alone(source, tmp_path):
    """``lcr-runtime``: its wheel asks for no PyTorch, and reads a video without it."""
    path = build_wheel(source / "packaging" / "runtime", tmp_path)
    names = zipfile.ZipFile(path).namelist()
    packaged = {x for x in names if ".dist-info/" not in x}
    tracked = {p.relative_to(source) for p in (source / "lcr_runtime").rglob("*.py")}
    model = "lcr_runtime/models/lcr_jester_stream.onnx"
    typed = "lcr_runtime/py.typed"
    assert packaged == {p.as_posix() for p in tracked} | {model, typed}
    (about,) = (x for x in names if x.endswith("/METADATA"))
    text = zipfile.ZipFile(path).read(about).decode()
    needed = set(re.findall(r"^Requires-Dist: ([\w-]+)", text, re.MULTILINE))
    assert needed == {"numpy", "opencv-python", "av", "onnxruntime", "openvino"}
    site = tmp_path / "site"
    zipfile.ZipFile(path).extractall(site)
    frames = [np.full((48, 64, 3), 40 * t, np.uint8) for t in range(5)]
    video = write_video(tmp_path / "v.mp4", frames)
    code = (
        "import sys;"
        "hidden = ('torch', 'mmaction', 'mmengine', 'mmcv', 'lcr_mmaction');"
        "sys.modules.update(dict.fromkeys(hidden));"
        "from lcr_runtime.commands.main import main;"
        f"main(['stream', {str(video)!r}, '--events', '-']);"
        "import lcr_runtime; print(lcr_runtime.__file__)"
    )
    said = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    assert said.splitlines()[-1].startswith(str(site))


@needs_mim
def test_mim_searches_and_runs(installed, tmp_path):
    def mim(*arguments: object) -> str:
        command = (sys.executable, "-W", "ignore", "-m", "mim", *arguments)
        return run(*command, cwd=tmp_path, PYTHONPATH=str(installed))

    found = mim("search", "lcr_mmaction", "--valid-config")
    assert "lcr_jester" in found and "lcr_jester_tiny" in found
    config = installed / "lcr_mmaction/.mim/configs/lcr_jester_tiny.py"
    shape = ("--shape", 1, 4, 8, 64, 64)
    flops = mim("run", "lcr_mmaction", "get_flops", config, *shape)
    assert str(installed) in flops
    assert "Params" in flops and "0.353M" in flops
