"""What weights mean: options that change no shape, kept with the weights and compared.

Weights of one cell fit another of the same shapes, and give wrong results that look
right. So the modules with such options write them into the metadata of their state
dict, where PyTorch keeps the versions of modules, and compare them when they load one:
in training, resuming and testing, in MMAction2's inferencers, in streams and in export,
as all of these go through a state dict.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

INSIST_VARIABLE = "LCR_INSIST_ON_CHECKPOINT"
_KEY = "lcr_meaning"


class OtherMeaningError(RuntimeError):
    """Weights that fit the model, but were trained as another one."""


def state_meaning(module: nn.Module, meaning: Mapping[str, Any]) -> None:
    """Keep and compare what a module's weights mean.

    Args:
        module: Writes ``meaning`` into its state dicts' metadata, and refuses a state
            dict of another meaning with :class:`OtherMeaningError`. One of none is
            loaded with a warning.
        meaning: Options by name; values are strings, numbers and lists of numbers.
    """
    own = dict(meaning)
    module._register_state_dict_hook(partial(_write, own))
    module._register_load_state_dict_pre_hook(partial(_compare, own))


def _write(
    own: dict, module: nn.Module, state_dict: Any, prefix: str, metadata: dict
) -> None:
    metadata[_KEY] = dict(own)


def _compare(own: dict, state_dict: dict, prefix: str, metadata: dict, *_: Any) -> None:
    if _KEY in metadata:
        refuse_other(metadata[_KEY], own, prefix)
    elif any(name.startswith(prefix) for name in state_dict):
        warnings.warn(
            f"the checkpoint does not say with which {', '.join(own)} it was trained, "
            "as it was written before LCR 0.2 or not by LCR: make sure that they are "
            "the config's",
            stacklevel=2,
        )


def refuse_other(saved: Mapping[str, Any], own: Mapping[str, Any], prefix: str) -> None:
    """Compare two meanings.

    Args:
        saved: Of the checkpoint. An option that it lacks came later, and is not
            compared.
        own: Of the model.
        prefix: Of the options' names in the message.

    Raises:
        OtherMeaningError: They differ, and the user does not insist.
    """
    lines = [
        f"  {prefix}{name}: {value!r} in the checkpoint, "
        f"{repr(own[name]) if name in own else 'unknown'} in this model"
        for name, value in saved.items()
        if name not in own or own[name] != value
    ]
    if not lines:
        return
    message = "\n".join(
        [
            "The checkpoint fits this model, but its weights mean something else:",
            *lines,
            "Use the config that it was trained with, or change yours.",
        ]
    )
    if os.environ.get(INSIST_VARIABLE, "").lower() in ("1", "true", "yes"):
        warnings.warn(f"{message} {INSIST_VARIABLE} is set: loaded.", stacklevel=2)
        return
    raise OtherMeaningError(
        f"{message} To load it all the same, set the environment variable "
        f"{INSIST_VARIABLE}=1."
    )
