"""Layer-wise decay of the learning rate, for backbones that start pretrained."""

from __future__ import annotations

import re

from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
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

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = "", **kwargs
    ) -> None:
        """Add the parameters of a module and of all below it, with their rates.

        Args:
            params: Groups of the optimizer, one a parameter; extended in place.
            module: The module.
            prefix: Its name; none for the recognizer itself.
            **kwargs: Of the base class.
        """
        super().add_params(params, module, prefix, **kwargs)
        if prefix:
            return
        rate = self.paramwise_cfg.get("layer_decay_rate")
        if rate is None or not 0 < rate <= 1:
            raise ValueError(
                f"layer_decay_rate={rate} in paramwise_cfg: give a rate in (0, 1], "
                "e.g. 0.75"
            )
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        blocks = [
            re.match(r"backbone\.blocks\.(\d+)\.", name) for name in names.values()
        ]
        if not any(blocks):
            raise ValueError(
                f"{type(self).__name__} needs a model with backbone.blocks, got "
                f"{type(module).__name__}"
            )
        depth = 1 + max(int(found[1]) for found in blocks if found)
        for group in params:
            (parameter,) = group["params"]
            layer = layer_of(names[id(parameter)], depth)
            group["lr"] = group.get("lr", self.base_lr) * rate ** (depth + 1 - layer)


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
