"""Who imports whom in the streaming package, functions and type checking included."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import lcr_mmaction

PACKAGE = Path(lcr_mmaction.__file__).parent
LIGHT = (
    "events",
    "labels",
    "metrics",
    "options",
    "policies",
    "preprocess",
    "readout",
    "result",
    "running_mean",
)


def imports_of(path: Path) -> tuple[set[Path], set[str]]:
    """Modules of this package, and names of other packages, that a file imports."""
    own, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1].joinpath(
                *(node.module or "").split(".")
            )
            named = [base / f"{alias.name}.py" for alias in node.names]
            found = [x for x in named if x.exists()]
            own |= set(found or [base.with_suffix(".py")])
    assert "lcr_mmaction" not in others, f"{path.name}: import it relatively"
    return {x for x in own if x.exists()}, others - set(sys.stdlib_module_names)


def reached_from(path: Path) -> tuple[set[Path], set[str]]:
    """All modules and packages that a file imports, directly or not."""
    seen, packages, left = set(), set(), [path]
    while left:
        own, others = imports_of(left.pop())
        packages |= others
        left += own - seen
        seen |= own
    return seen, packages


@pytest.mark.parametrize("name", LIGHT)
def test_what_follows_the_model_needs_no_torch(name):
    """So that exported models run by the same code, without it."""
    _, packages = reached_from(PACKAGE / "streaming" / f"{name}.py")
    assert packages <= {"numpy", "cv2"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("streaming/*.py")), ids=lambda path: path.stem
)
def test_no_module_imports_itself_in_the_end(path):
    if path.stem in ("live", "sources"):
        pytest.skip("still know each other")
    modules, _ = reached_from(path)
    assert path not in modules
