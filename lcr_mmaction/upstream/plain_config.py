"""Telling a config that is data from one that could run something."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

_IMPORTS = {"lcr_mmaction"}


def is_plain(text: Any) -> bool:
    """Whether a config holds data alone, and names nothing but registered parts.

    That is what MMEngine writes: assignments of numbers, texts and collections. A
    ``type`` with a dot could name any function of any module.
    """
    try:
        values = [_value(statement) for statement in ast.parse(text).body]
    except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return all(name != "_base_" and _is_harmless(name, value) for name, value in values)


def _value(statement: ast.stmt) -> tuple[str, Any]:
    """The name and value of an assignment of data.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise ValueError("no assignment")
    target = statement.targets[0]
    if not isinstance(target, ast.Name):
        raise ValueError("no assignment to a name")
    return target.id, ast.literal_eval(_DictCalls().visit(statement.value))


class _DictCalls(ast.NodeTransformer):
    """Writes ``dict(a=1)`` as ``{'a': 1}``, which is a literal."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        is_dict = isinstance(node.func, ast.Name) and node.func.id == "dict"
        if not is_dict or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("a call")
        if node.args:
            if node.keywords or len(node.args) != 1:
                raise ValueError("a call")
            return node.args[0]
        names: list[ast.expr | None] = [ast.Constant(k.arg) for k in node.keywords]
        return ast.Dict(names, [keyword.value for keyword in node.keywords])


def _is_harmless(name: Any, value: Any) -> bool:
    if name == "type" and (not isinstance(value, str) or "." in value):
        return False
    if name == "imports" and not set(value) <= _IMPORTS:
        return False
    if isinstance(value, Mapping):
        return all(_is_harmless(key, inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_harmless(None, inner) for inner in value)
    return True
