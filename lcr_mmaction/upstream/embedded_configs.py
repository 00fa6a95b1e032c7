"""Configs that checkpoints carry as text, which MMEngine runs as Python."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.runner.checkpoint import _load_checkpoint

from .checkpoints import (
    UNSAFE_VARIABLE,
    CheckpointError,
    for_another_project,
    unsafe_loading_chosen,
)
from .plain_config import is_plain


def _embedded(checkpoint: Mapping) -> Any:
    hub = checkpoint.get("message_hub") or {}
    text = (hub.get("runtime_info") or {}).get("cfg")
    return text if text is not None else (checkpoint.get("meta") or {}).get("cfg")


def mend_configs_in_checkpoints() -> None:
    """Keep an inferencer from running the config inside a checkpoint.

    The fault: where an inferencer is given weights and no config, MMEngine 0.10 takes
    the text of a config out of the checkpoint and runs it as Python, however safely
    the weights were loaded. Data that names registered parts alone, as MMEngine itself
    writes it, is still taken. (The runner does the like with ``meta['config']`` when it
    resumes; :func:`~.checkpoints.safely` takes that out.)
    """
    upstream = BaseInferencer._init_model
    if hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def init_model(
        self: BaseInferencer, cfg: Config, weights: str | None, device: str = "cpu"
    ) -> Any:
        ours = not for_another_project() and not unsafe_loading_chosen()
        if ours and not cfg and weights is not None:
            text = _embedded(_load_checkpoint(weights, map_location="cpu"))
            if text is not None and not is_plain(text):
                raise CheckpointError(
                    f"Refused to run the config inside the checkpoint {weights}: it "
                    "holds more than data for registered parts. Give the config file "
                    "(model=CONFIG), or, only if you trust the checkpoint's author, "
                    f"set the environment variable {UNSAFE_VARIABLE}=1."
                )
        return upstream(self, cfg, weights, device)

    BaseInferencer._init_model = init_model
