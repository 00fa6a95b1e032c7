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

# Of the optimizer: both spare what the list of names before them spared, of LCR and of
# its peers.
_NO_DECAY = dict(decay_mult=0.0)
_NAMES = ("decay_speed", "bonus", "shift", "cell", "cls_token", "cls_edge")
_PARAMWISE_BEFORE = dict(
    norm_decay_mult=0.0,
    bias_decay_mult=0.0,
    custom_keys={name: _NO_DECAY for name in _NAMES},
)
_SINCE: list[Options] = [
    dict(constructor="MatrixDecayOptimWrapperConstructor"),
    dict(
        constructor="DefaultOptimWrapperConstructor",
        paramwise_cfg=_PARAMWISE_BEFORE | dict(custom_keys={"cls_token": _NO_DECAY}),
    ),
]

# Which random numbers a run draws is its seed's affair; threads and memory are the
# machine's.
_NEW_HOOKS = (
    "ExactResumeHook",
    "ThreadsHook",
    "KeepMemoryHook",
    "CompileBackboneHook",
)


def first_spelled(content: Options) -> Options:
    """Spell what decides a run's result as the first version of the code did.

    A change belongs here only if it changes no result, or none beyond what another
    seed does.

    Args:
        content: What decides a run's result, by the parts of its config; left as it
            is.
    """
    model = content["model"]
    backbone = dict(model["backbone"])
    for option, value, before in _BEFORE:
        if backbone.get(option) == value:
            del backbone[option]
            backbone |= before
    optimizer = dict(content["optim_wrapper"])
    # Fused: the same update in one pass.
    kept = {k: v for k, v in optimizer["optimizer"].items() if k != "fused"}
    optimizer["optimizer"] = kept
    parts = ("constructor", "paramwise_cfg")
    decay = {part: optimizer[part] for part in parts if part in optimizer}
    if decay in _SINCE:
        for part in decay:
            del optimizer[part]
        optimizer["paramwise_cfg"] = _PARAMWISE_BEFORE
    hooks = [h for h in content["custom_hooks"] if h["type"] not in _NEW_HOOKS]
    preprocessor = dict(model["data_preprocessor"])
    if preprocessor["type"] == "LCRDataPreprocessor":
        preprocessor["type"] = "ActionDataPreprocessor"
    model = {**model, "backbone": backbone, "data_preprocessor": preprocessor}
    changed = dict(model=model, optim_wrapper=optimizer, custom_hooks=hooks)
    return content | changed
