"""What the runtime imports: it must run where PyTorch and MMAction2 are not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lcr_runtime

PACKAGE = Path(lcr_runtime.__file__).parent
# Engines and decoders are imported where they are asked for.
LIGHT = {"numpy", "cv2"}
ASKED_FOR = {"av", "decord", "onnxruntime", "openvino"}
# Commands that need PyTorch say so where it is not.
COMMANDS = ASKED_FOR | {"lcr_mmaction", "torch"}


def imports_of(tree: ast.AST) -> set[str]:
    """Names of the packages, the standard library's apart."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    "path",
    sorted(PACKAGE.rglob("*.py")),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_a_module_imports_light_packages_alone(path):
    asked_for = COMMANDS if path.parent.name == "commands" else ASKED_FOR
    assert imports_of(ast.parse(path.read_text("utf-8"))) <= LIGHT | asked_for


def test_importing_it_loads_no_heavy_package():
    code = "import sys, lcr_runtime; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    heavy = {"torch", "mmaction", "mmengine", "mmcv", "lcr_mmaction"} | ASKED_FOR
    assert not loaded & heavy
