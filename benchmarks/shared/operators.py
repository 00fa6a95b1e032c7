"""The operators that a computation executes: recorded, run alone, and grouped."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LINEAR = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear"}
LINEAR |= {"mkldnn::_linear_pointwise"}
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
        self.moved = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        results = func(*args, **kwargs)
        if kind := _kind(func, args):
            self.products.append(Product(kind, func, args, kwargs))
        else:
            self.moved += _bytes_moved(func, args, results)
        return results


class _Kernels(TorchFunctionMode):
    """Counts those of ``ops/fused.py``, which are opaque to the other mode."""

    moved = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        results = func(*args, **(kwargs or {}))
        if str(func).startswith("lcr.") and "wkv" not in str(func):
            self.moved += _bytes_moved(func.default, args, results)
        return results


def _bytes_moved(func: torch._ops.OpOverload, args: tuple, results: object) -> int:
    """What an operator reads and writes: nothing where it makes a view, or room."""
    given = [x for x in tree_leaves(args) if isinstance(x, torch.Tensor)]
    if not given or not given[0].numel():
        return 0
    own = {x.untyped_storage().data_ptr() for x in given}
    written = {
        x.untyped_storage().data_ptr(): _bytes(x)
        for x in tree_leaves(results)
        if isinstance(x, torch.Tensor) and x.untyped_storage().data_ptr() not in own
    }
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written[value.untyped_storage().data_ptr()] = _bytes(value)
    if not written or "empty" in func._schema.name:
        return 0
    return sum(written.values()) + sum(_bytes(x) for x in given)


def _bytes(x: torch.Tensor) -> int:
    return min(x.numel() * x.element_size(), x.untyped_storage().nbytes())


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
def bytes_of_the_rest(call: Callable[[], object]) -> int:
    """Bytes that the operators which :func:`record` leaves out read and write."""
    with _Kernels() as kernels, _Recorder() as recorder:
        call()
    return recorder.moved + kernels.moved


@torch.no_grad()
def replay(products: list[Product]) -> None:
    """Run products on the tensors that they were recorded with, and nothing else."""
    for product in products:
        product.function(*product.args, **product.kwargs)


# The first pattern that an operator's name contains decides.
GROUPS = {
    "bi_wkv": r"wkv",
    "convolutions": r"conv|slow_",
    "linear layers": r"::(mm|addmm|bmm|baddbmm|linear|matmul|_linear_pointwise)$",
    "norms": r"norm",
    "sums and means": r"::(sum|mean|var|std|amax|any|all|cumsum|logsumexp)",
    "copies": r"copy|::(cat|stack|clone|contiguous|to|_to_copy|index|gather|select_b"
    r"|slice_b|constant_pad|pad|roll|flip|repeat|fill|zero|new_zeros|zeros)",
    "optimizer": r"_foreach|Optimizer|adam",
    "elementwise": r"::(_?add|sub|rsub|mul|div|neg|abs|pow|square|sqrt|rsqrt|exp|log"
    r"|tanh|sigmoid|silu|relu|threshold|gelu|sin|cos|where|clamp|maximum|minimum"
    r"|lerp|isneginf|eq|ne|lt|gt|le|ge|bernoulli|addcmul|addcdiv|is|bitwise|logical)",
}
OTHER = "the rest"


def group_of(operator: str) -> str:
    """Name of the group that an operator such as ``'aten::mm'`` belongs to."""
    for group, pattern in GROUPS.items():
        if re.search(pattern, operator):
            return group
    return OTHER


def where_time_goes(
    call: Callable[[], object], device: str, top: int
) -> tuple[list[tuple], list[tuple]]:
    """Profile one call, after one that warms up.

    Args:
        call: What to profile.
        device: Where it runs; on a GPU only the kernels' time counts.
        top: Number of operators to list.

    Returns:
        Rows ``(group, share in %, calls)`` and ``(operator, share in %, calls)``, each
        from the most to the least. Shares are of the operators' own time, which leaves
        out Python between them.
    """
    call()
    activities = [ProfilerActivity.CPU]
    if device != "cpu":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        call()
    clock = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
    operators = {
        event.key: (getattr(event, clock), event.count)
        for event in profiler.key_averages()
        if "::" in event.key
    }
    groups: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for name, (time, count) in operators.items():
        before = groups[group_of(name)]
        groups[group_of(name)] = before[0] + time, before[1] + count
    return _shares(groups), _shares(operators)[:top]


def _shares(times: dict[str, tuple[float, int]]) -> list[tuple]:
    total = sum(time for time, _ in times.values())
    ordered = sorted(times.items(), key=lambda item: -item[1][0])
    return [
        (name, f"{100 * time / total:.1f}", count) for name, (time, count) in ordered
    ]
