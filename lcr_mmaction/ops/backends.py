"""Which implementation of ``bi_wkv`` runs, and running it."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from .chunked import bi_wkv_chunked, bi_wkv_chunked_backward
from .naive import bi_wkv_naive, bi_wkv_naive_backward

BACKENDS = ("naive", "chunked", "cpu", "cuda")
ENVIRONMENT_VARIABLE = "LCR_WKV_BACKEND"

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def choose_backend(requested: str, device: torch.device) -> str:
    """Name of the backend to run.

    Args:
        requested: a name from ``BACKENDS``, or ``'auto'``.
        device: where the inputs are.

    Raises:
        ValueError: if the environment names an unknown backend.
        RuntimeError: if a backend was asked for that cannot run on ``device``.
    """
    if requested == "auto":
        requested = os.environ.get(ENVIRONMENT_VARIABLE, "auto") or "auto"
        if requested != "auto" and requested not in BACKENDS:
            raise ValueError(
                f"{ENVIRONMENT_VARIABLE}={requested!r} is not a backend of bi_wkv; "
                f"use one of {', '.join(BACKENDS)}, or unset it"
            )
    if requested == "auto":
        return "chunked"
    return requested


def forward(
    r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, backend: str
) -> Tensor:
    """Run ``bi_wkv`` on the chosen backend."""
    name = choose_backend(backend, r.device)
    if name == "naive":
        return bi_wkv_naive(r, k, v, w, u).to(v.dtype)
    return bi_wkv_chunked(r, k, v, w, u)


def backward(
    dy: Tensor, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, backend: str
) -> Gradients:
    """Gradients of ``bi_wkv`` on the chosen backend."""
    name = choose_backend(backend, r.device)
    if name == "naive":
        grads = bi_wkv_naive_backward(dy, r, k, v, w, u)
        inputs = (r, k, v, w, u)
        return tuple(g.to(x.dtype) for g, x in zip(grads, inputs, strict=True))
    return bi_wkv_chunked_backward(dy, r, k, v, w, u)
