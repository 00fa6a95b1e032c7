"""Linear layers over many rows on a CPU, through oneDNN.

PyTorch gives float32 products to its BLAS. Over thousands of rows, which come from
memory, oneDNN took 10 to 18 % less time where it was measured (MKL on Zen 4), and it
adds the bias on the way; over hundreds the two are alike. In bfloat16 PyTorch takes
oneDNN by itself, but copies the bias to every row first, which takes as long again as
the product where that is fast, and rounds weights on as many threads as there are,
though to wake one takes longer.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.flop_counter import register_flop_formula

from .extension import is_loaded_or_warn
from .fused import has_hooks, is_plain_on_cpu

LEAST_ROWS = 1024


def linear(layer: nn.Module, x: Tensor) -> Tensor:
    """``layer(x)``, to rounding.

    Args:
        layer: A linear layer, or what stands in for one: whatever is not just an
            ``nn.Linear`` with weights in float32 is called.
        x: ``[..., in_features]``.

    Returns:
        ``[..., out_features]``.
    """
    if _is_for_onednn(layer, x):
        return _Linear.apply(x, layer.weight, layer.bias)
    return layer(x)


def _is_for_onednn(layer: nn.Module, x: Tensor) -> TypeGuard[nn.Linear]:
    return (
        type(layer) is nn.Linear
        and not has_hooks(layer)
        and layer.weight.dtype == torch.float32
        and x.numel() >= LEAST_ROWS * x.shape[-1]
        and is_plain_on_cpu(x, *layer.parameters(recurse=False))
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and _is_faster(x.dtype)
    )


def _is_faster(dtype: torch.dtype) -> bool:
    if torch.is_autocast_enabled("cpu"):
        return (
            dtype == torch.get_autocast_dtype("cpu") == torch.bfloat16
            and torch.ops.mkldnn._is_mkldnn_bf16_supported()
            and is_loaded_or_warn("cpu")
        )
    return dtype == torch.float32


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x weight^T + bias``."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.dtype != weight.dtype:
            weight = torch.ops.lcr.convert_cpu(weight.contiguous())
            bias = None if bias is None else torch.ops.lcr.convert_cpu(bias)
        ctx.save_for_backward(x, weight)
        y = _product(x.reshape(-1, x.shape[-1]), weight, bias)
        # Not a view, which whoever comes next could not overwrite.
        return torch.ops.aten._unsafe_view(y, [*x.shape[:-1], len(weight)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor):  # noqa: ANN205
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        dx = dweight = dbias = None
        rows = dy.reshape(-1, dy.shape[-1])
        if for_x:
            # Neither needs a copy of the weight; oneDNN's own call would reorder it in
            # bfloat16, where that takes as long as a third of the product.
            half = dy.dtype != torch.float32
            dx = (rows @ weight if half else _product(rows, weight.t())).view(x.shape)
        if for_weight:
            dweight = rows.t() @ x.reshape(-1, x.shape[-1])
        if for_bias:
            dbias = rows.sum(dim=0)
        if dy.dtype != torch.float32:
            dweight, dbias = (
                None if x is None else torch.ops.lcr.convert_cpu(x.contiguous())
                for x in (dweight, dbias)
            )
        return dx, dweight, dbias


if torch.backends.mkldnn.is_available():

    @register_flop_formula(torch.ops.mkldnn._linear_pointwise)
    def _flops(x, weight, *args: Any, out_shape=None, **kwargs: Any) -> int:  # noqa: ANN001
        return 2 * math.prod(x) * weight[0]
