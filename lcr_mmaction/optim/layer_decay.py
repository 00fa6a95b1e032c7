"""Layer-wise decay of the learning rate, for backbones that start pretrained."""

from __future__ import annotations

import re
from typing import cast

from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from .matrix_decay import MatrixDecayOptimWrapperConstructor

NEW_PARTS = ("cell", "edge_embed")


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(MatrixDecayOptimWrapperConstructor):
    """Learn the lower a pretrained layer is, the slower (ELECTRA, arXiv 2003.10555).

    Head, last norm and what no image model has (cells and edges) learn at the full
    rate, block i of n at ``rate * layer_decay_rate^(n - i)``, what comes before the
    blocks at ``rate * layer_decay_rate^(n + 1)``. MMAction2's own constructor knows its
    vision transformers only.

    ``paramwise_cfg`` takes ``layer_decay_rate`` beside all that the base class takes.

    Raises:
        ValueError: ``layer_decay_rate`` is missing or not in (0, 1], or the model has
            no ``backbone.blocks``.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer and scale the rates of its parameters."""
        rate = self.paramwise_cfg.get("layer_decay_rate")
        if rate is None or not 0 < rate <= 1:
            raise ValueError(
                f"layer_decay_rate={rate} in paramwise_cfg: give a rate in (0, 1], "
                "e.g. 0.75"
            )
        wrapper = super().__call__(model)
        recognizer = cast(nn.Module, model.module if is_model_wrapper(model) else model)
        names = {parameter: name for name, parameter in recognizer.named_parameters()}
        blocks = [
            re.match(r"backbone\.blocks\.(\d+)\.", name) for name in names.values()
        ]
        if not any(blocks):
            raise ValueError(
                f"{type(self).__name__} needs a model with backbone.blocks, got "
                f"{type(recognizer).__name__}"
            )
        depth = 1 + max(int(found[1]) for found in blocks if found)
        for group in wrapper.optimizer.param_groups:
            # One parameter a group, as MMEngine makes them of a paramwise_cfg.
            (parameter,) = group["params"]
            name = names[parameter]
            group["lr"] *= rate ** (depth + 1 - layer_of(name, depth))
            group["name"] = name
        return wrapper


def layer_of(name: str, depth: int) -> int:
    """Layer of a parameter of a recognizer.

    Args:
        name: The parameter's.
        depth: Number of blocks.

    Returns:
        0 for what comes before the blocks, i + 1 for block i, ``depth + 1`` for head,
        last norm, cells and edges.
    """
    part, *inner = name.split(".")
    if part != "backbone" or inner[0] == "output_norm" or {*inner} & {*NEW_PARTS}:
        return depth + 1
    return int(inner[1]) + 1 if inner[0] == "blocks" else 0
