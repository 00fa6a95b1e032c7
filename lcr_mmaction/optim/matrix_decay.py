"""Which weights decay: their modules say it, not a list of names in a config."""

from __future__ import annotations

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn
from torch.optim import Optimizer


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MatrixDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Weight decay for matrices and convolutions, and for nothing else.

    Not decayed are vectors and numbers (norms, biases, tokens, mixes, the cells' gates)
    and the parameters that their module names in a class attribute
    ``no_weight_decay``, a set of names of its own: decays, positions, whatever has no
    reason to be near zero. A new part says so in its own file.

    Parameters of the same settings become one group of the optimizer. MMEngine makes a
    group of each, and an optimizer updates the groups one after the other.

    Args:
        optim_wrapper_cfg: As for the base class.
        paramwise_cfg: As for the base class; its ``custom_keys`` come before the rule.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        paramwise_cfg = dict(flat_decay_mult=0.0) | (paramwise_cfg or {})
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer.

        Args:
            model: Whose parameters it updates.
        """
        wrapper = super().__call__(model)
        merge_groups(wrapper.optimizer)
        return wrapper

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = "", **kwargs
    ) -> None:
        """Add the parameters of a module and of all below it.

        Args:
            params: Groups of the optimizer, one a parameter; extended in place.
            module: The module.
            prefix: Its name.
            **kwargs: Of the base class.
        """
        start = len(params)
        super().add_params(params, module, prefix, **kwargs)
        if self.base_wd is None:
            return
        custom = self.paramwise_cfg.get("custom_keys", {})
        listed: frozenset[str] = getattr(module, "no_weight_decay", frozenset())
        spared = {
            id(parameter)
            for name, parameter in module.named_parameters(recurse=False)
            if (name in listed or parameter.ndim == 0)
            and not any(key in f"{prefix}.{name}" for key in custom)
        }
        for group in params[start:]:
            if id(group["params"][0]) in spared:
                group["weight_decay"] = 0.0


def merge_groups(optimizer: Optimizer) -> None:
    """Make one group of all parameters whose settings are the same.

    Args:
        optimizer: One that has made no step; changed in place.
    """
    merged: list[dict] = []
    for group in optimizer.param_groups:
        settings = {key: value for key, value in group.items() if key != "params"}
        for known in merged:
            if {key: known[key] for key in known if key != "params"} == settings:
                known["params"] += group["params"]
                break
        else:
            merged.append(settings | dict(params=list(group["params"])))
    groups = len(merged)
    optimizer.param_groups[:] = merged

    def check(_: Optimizer, state: dict) -> None:
        if len(state["param_groups"]) != groups:
            raise ValueError(
                f"the checkpoint's optimizer has {len(state['param_groups'])} groups "
                f"of parameters and this run's {groups}: another config or version of "
                "lcr_mmaction wrote it. Start from its weights: load_from instead of "
                "resume"
            )

    optimizer.register_load_state_dict_pre_hook(check)
