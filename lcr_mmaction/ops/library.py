"""``torch.ops.lcr.bi_wkv``: the operator as PyTorch sees it.

The schema, the shapes for tracing, the gradient and the autocast rule are here; the
arithmetic is behind :mod:`lcr_mmaction.ops.backends`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import backends
from .backends import Gradients

_library = torch.library.Library("lcr", "DEF")
_ARGUMENTS = "Tensor r, Tensor k, Tensor v, Tensor w, Tensor u, *, str backend='auto'"
_GRADIENTS = "(Tensor, Tensor, Tensor, Tensor, Tensor)"
_library.define(f"bi_wkv({_ARGUMENTS}) -> Tensor")
_library.define(f"bi_wkv_backward(Tensor dy, {_ARGUMENTS}) -> {_GRADIENTS}")


def _forward(
    r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, *, backend: str = "auto"
) -> Tensor:
    return backends.forward(r, k, v, w, u, backend)


def _backward(
    dy: Tensor,
    r: Tensor,
    k: Tensor,
    v: Tensor,
    w: Tensor,
    u: Tensor,
    *,
    backend: str = "auto",
) -> Gradients:
    return backends.backward(dy, r, k, v, w, u, backend)


for _device in ("CPU", "CUDA"):
    _library.impl("bi_wkv", _forward, _device)
    _library.impl("bi_wkv_backward", _backward, _device)


@torch.library.register_fake("lcr::bi_wkv", lib=_library)
def _forward_shape(r, k, v, w, u, *, backend="auto"):  # noqa: ANN001, ANN202
    return v.new_empty(v.shape)


@torch.library.register_fake("lcr::bi_wkv_backward", lib=_library)
def _backward_shapes(dy, r, k, v, w, u, *, backend="auto"):  # noqa: ANN001, ANN202
    return tuple(x.new_empty(x.shape) for x in (r, k, v, w, u))


def _save_inputs(ctx, inputs, keyword_only_inputs, output) -> None:  # noqa: ANN001
    # Only the inputs are kept: the backward pass rebuilds what it needs from them.
    ctx.save_for_backward(*inputs)
    ctx.backend = keyword_only_inputs["backend"]


def _gradients(ctx, dy: Tensor) -> Gradients:  # noqa: ANN001
    return torch.ops.lcr.bi_wkv_backward(dy, *ctx.saved_tensors, backend=ctx.backend)


torch.library.register_autograd(
    "lcr::bi_wkv", _gradients, setup_context=_save_inputs, lib=_library
)


def _register_autocast(device: str, key: str) -> None:
    """Cast like a matrix product; the decay and the bonus stay float32.

    A log-decay near 0 acts over hundreds of tokens, which is what the 8 bits of
    bfloat16 are too few for.
    """

    def cast_and_call(
        r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, *, backend: str = "auto"
    ) -> Tensor:
        dtype = torch.get_autocast_dtype(device)
        if all(x.dtype != torch.float64 for x in (r, k, v)):
            r, k, v = (x.to(dtype) for x in (r, k, v))
            w, u = w.float(), u.float()
        keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))
        with torch._C._ExcludeDispatchKeyGuard(keys):
            return torch.ops.lcr.bi_wkv(r, k, v, w, u, backend=backend)

    _library.impl("bi_wkv", cast_and_call, key)


_register_autocast("cpu", "AutocastCPU")
_register_autocast("cuda", "AutocastCUDA")
