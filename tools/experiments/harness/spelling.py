"""Options by the names they first had: keys of finished runs outlive a renaming."""

from __future__ import annotations

from typing import Any

Options = dict[str, Any]

# Of the backbone: option, value, and how the same was asked for before.
_BEFORE: list[tuple[str, str, Options]] = [
    ("block", "feedback", dict(feedback=True)),
    ("block", "paper", dict(block="plain", feedback=True)),
    ("positions", "rope", dict(absolute_positions=False)),
    ("positions", "none", dict(absolute_positions=False, rope=False)),
]


def first_spelled(content: Options) -> Options:
    """Spell what decides a run's result as the first version of the code did.

    A change belongs here only if it changes no result.

    Args:
        content: Parts of a config, ``model`` among them; left as it is.
    """
    model = content["model"]
    backbone = dict(model["backbone"])
    for option, value, before in _BEFORE:
        if backbone.get(option) == value:
            del backbone[option]
            backbone |= before
    return {**content, "model": {**model, "backbone": backbone}}
