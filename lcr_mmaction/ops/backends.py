"""Which implementation of ``bi_wkv`` runs, and running it."""

from __future__ import annotations

import os
from typing import cast

import torch
from torch import Tensor

from .chunked import bi_wkv_chunked, bi_wkv_chunked_backward
from .extension import is_loaded_or_warn, why_missing
from .naive import bi_wkv_naive, bi_wkv_naive_backward

BACKENDS = ("naive", "chunked", "cpu", "cuda")
ENVIRONMENT_VARIABLE = "LCR_WKV_BACKEND"

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def choose_backend(requested: str, device: torch.device, dtype: torch.dtype) -> str:
    """Name of the backend to run.

    Args:
        requested: a name from ``BACKENDS``, or ``'auto'``: the environment's choice,
            or else the kernel for the device, or else ``'chunked'``.
        device: where the inputs are.
        dtype: of receptance, key and value.

    Raises:
        ValueError: if the environment names an unknown backend.
        RuntimeError: if a backend was asked for that cannot run here.
    """
    if requested == "auto":
        requested = os.environ.get(ENVIRONMENT_VARIABLE) or "auto"
        if requested not in ("auto", *BACKENDS):
            raise ValueError(
                f"{ENVIRONMENT_VARIABLE}={requested!r} is not a backend of bi_wkv; "
                f"use one of {', '.join(BACKENDS)}, or unset it"
            )
    if requested == "auto":
        kind = device.type
        usable = kind == "cpu" or (kind == "cuda" and dtype != torch.float64)
        return kind if usable and is_loaded_or_warn(kind) else "chunked"
    if requested in ("cpu", "cuda"):
        _require(requested, device, dtype)
    return requested


def _require(kind: str, device: torch.device, dtype: torch.dtype) -> None:
    reason: str | None
    if device.type != kind:
        reason = f"its inputs are on {device}; move them or choose another backend"
    elif kind == "cuda" and dtype == torch.float64:
        reason = "it has no float64; choose 'chunked'"
    else:
        reason = why_missing(kind)
    if reason is not None:
        raise RuntimeError(f"bi_wkv: the {kind!r} backend cannot run: {reason}")


def forward(
    r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, backend: str
) -> Tensor:
    """Run ``bi_wkv`` on the chosen backend."""
    if v.numel() == 0:
        return torch.empty_like(v, memory_format=torch.contiguous_format)
    name = choose_backend(backend, r.device, r.dtype)
    if name == "naive":
        return bi_wkv_naive(r, k, v, w, u).to(v.dtype)
    if name == "chunked":
        return bi_wkv_chunked(r, k, v, w, u)
    kernel = getattr(torch.ops.lcr, f"bi_wkv_{name}").default
    return kernel(r, k, v, w, u)


def backward(
    dy: Tensor, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, backend: str
) -> Gradients:
    """Gradients of ``bi_wkv`` on the chosen backend."""
    inputs = (r, k, v, w, u)
    if v.numel() == 0:
        return cast(Gradients, tuple(x.new_zeros(x.shape) for x in inputs))
    name = choose_backend(backend, r.device, r.dtype)
    if name == "naive":
        exact = bi_wkv_naive_backward(dy, *inputs)
        grads = tuple(g.to(x.dtype) for g, x in zip(exact, inputs, strict=True))
        return cast(Gradients, grads)
    if name == "chunked":
        return bi_wkv_chunked_backward(dy, *inputs)
    kernel = getattr(torch.ops.lcr, f"bi_wkv_{name}_backward").default
    return kernel(dy, *inputs)
