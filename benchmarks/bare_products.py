"""Record the matrix products that a computation executes, and run them alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

LINEAR = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear"}
CONVOLUTION = {"aten::convolution", "aten::conv2d", "aten::conv3d"}
WKV = {"lcr::bi_wkv"}
KINDS = ("linear", "convolution", "depthwise convolution", "bi_wkv")


class Product(NamedTuple):
    """One executed operator with the tensors that it was given."""

    kind: str
    function: Callable[..., Any]
    args: tuple
    kwargs: dict

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of its tensors."""
        return tuple(tuple(x.shape) for x in self.args if isinstance(x, torch.Tensor))


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.products: list[Product] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        if kind := _kind(func, args):
            self.products.append(Product(kind, func, args, kwargs))
        return func(*args, **kwargs)


def _kind(func: torch._ops.OpOverload, args: tuple) -> str | None:
    name = func._schema.name
    if name in LINEAR:
        return "linear"
    if name in CONVOLUTION:
        # Its weights are [out, in / groups, ...].
        return "convolution" if args[1].shape[1] > 1 else "depthwise convolution"
    return "bi_wkv" if name in WKV else None


@torch.no_grad()
def record(call: Callable[[], object]) -> list[Product]:
    """Run ``call`` and return its matrix products, below autocast, in order.

    A convolution of one input channel counts as depthwise: it multiplies no matrices
    worth the name.
    """
    recorder = _Recorder()
    with recorder:
        call()
    return recorder.products


@torch.no_grad()
def replay(products: list[Product]) -> None:
    """Run products on the tensors that they were recorded with, and nothing else."""
    for product in products:
        product.function(*product.args, **product.kwargs)
