"""Data flows one way: no module of the packages needs one that needs it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("lcr_mmaction", "lcr_runtime")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def modules() -> dict[str, Path]:
    paths = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    return {module_name(path): path for path in paths}


def imports_of(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Modules that a module imports anywhere, functions and ``TYPE_CHECKING`` too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            # What is imported from a package is one of its modules, or a name in it.
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= inner & set(known) or {base}
    return (found & set(known)) - {name}


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """A chain of modules that ends where it began, or nothing."""
    done: set[str] = set()

    def visit(name: str, chain: list[str]) -> list[str]:
        if name in chain:
            return [*chain[chain.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            circle = visit(other, [*chain, name])
            if circle:
                return circle
        done.add(name)
        return []

    for name in graph:
        circle = visit(name, [])
        if circle:
            return circle
    return []


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_packages_have_no_circle():
    known = modules()
    graph = {name: imports_of(name, path, known) for name, path in known.items()}
    assert len(graph) > 50 and any(graph.values())
    assert find_circle(graph) == []


def test_the_runtime_needs_nothing_of_the_plugin():
    """But for commands that are given a config and so need PyTorch."""
    for name, path in modules().items():
        if name.startswith("lcr_runtime") and "commands" not in name:
            needed = imports_of(name, path, modules())
            assert not [x for x in needed if x.startswith("lcr_mmaction")], name
