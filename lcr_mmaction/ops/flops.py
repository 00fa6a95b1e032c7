"""What ``bi_wkv`` costs, told to everything that counts.

One formula for every backend, the work of the recurrence itself. For each token, head
and direction the state (K x V) is updated and read once, one multiply-add per entry
each; the token's own term costs ``2 K + V``:

    multiply-adds = B * T * H * (4 * K * V + 2 * K + V)

MMEngine and fvcore count one multiply-add as one FLOP, PyTorch's FlopCounterMode as
two, and each is given its own unit. The backward pass counts three times the forward:
states again, states of the adjoint, the products for r, k and v, and the decay's.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from . import library  # noqa: F401  (defines the operators counted here)


def bi_wkv_multiply_adds(key_shape: Sequence[int], value_shape: Sequence[int]) -> int:
    """Multiply-adds of one forward call.

    Args:
        key_shape: ``(B, T, H, K)``.
        value_shape: ``(B, T, H, V)``.
    """
    batch, tokens, heads, key_size = key_shape
    value_size = value_shape[3]
    per_token = 4 * key_size * value_size + 2 * key_size + value_size
    return batch * tokens * heads * per_token


def _traced(inputs: list[Any], outputs: list[Any]) -> int:
    """Handle for MMEngine and fvcore, which pass values of a traced graph."""
    del outputs
    key_shape, value_shape = (inputs[i].type().sizes() for i in (1, 2))
    return bi_wkv_multiply_adds(key_shape, value_shape)


def _register() -> None:
    @register_flop_formula(torch.ops.lcr.bi_wkv)
    def forward(r, k, v, *args: Any, out_shape=None, **kwargs: Any) -> int:  # noqa: ANN001
        return 2 * bi_wkv_multiply_adds(k, v)

    @register_flop_formula(torch.ops.lcr.bi_wkv_backward)
    def backward(dy, r, k, v, *args: Any, out_shape=None, **kwargs: Any) -> int:  # noqa: ANN001
        return 3 * 2 * bi_wkv_multiply_adds(k, v)

    from mmengine.analysis import complexity_analysis

    complexity_analysis._DEFAULT_SUPPORTED_FLOP_OPS["lcr::bi_wkv"] = _traced
    # Its activations are its output, as for a matrix product.
    complexity_analysis._DEFAULT_SUPPORTED_ACT_OPS["lcr::bi_wkv"] = (
        complexity_analysis.generic_activation_jit()
    )
    if importlib.util.find_spec("fvcore"):
        # By name: in fvcore.nn, a function of the same name hides the module.
        flop_count = importlib.import_module("fvcore.nn.flop_count")
        flop_count._DEFAULT_SUPPORTED_OPS["lcr::bi_wkv"] = _traced


_register()
