"""The public ``bi_wkv`` function."""

from __future__ import annotations

import torch
from torch import Tensor

from . import library  # noqa: F401  (registers torch.ops.lcr.bi_wkv)
from .backends import BACKENDS

_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def bi_wkv(
    r: Tensor,
    k: Tensor,
    v: Tensor,
    w: Tensor,
    u: Tensor,
    *,
    backend: str | None = None,
) -> Tensor:
    """Bidirectional, multi-head, matrix-valued WKV.

    ``y_t = r_t . [ diag(u) k_t v_t^T + sum_{s != t} diag(d_ts) k_s v_s^T ]`` with
    ``d_ts = prod_j exp(w_j)`` over the tokens ``j`` strictly between ``s`` and ``t``.
    The result is not scaled by the head size. Half-precision inputs are accumulated
    in float32. Under autocast r, k and v take the autocast dtype, w and u float32.

    Args:
        r: receptance, ``(B, T, H, K)``; float32, bfloat16, float16 or float64, in any
            memory layout.
        k: key, ``(B, T, H, K)``, dtype of ``r``.
        v: value, ``(B, T, H, V)``, dtype of ``r``.
        w: log-decay, at most 0: ``(H, K)``, or ``(B, T, H, K)`` per token.
        u: bonus of the token itself, ``(H, K)``.
        backend: ``'naive'``, ``'chunked'``, ``'cpu'`` or ``'cuda'`` to force one;
            ``None`` takes ``LCR_WKV_BACKEND`` from the environment if it is set, else
            the fastest one that is there for the device of ``r``.

    Returns:
        ``(B, T, H, V)`` in the dtype of ``v``.

    Raises:
        ValueError: if shapes, dtypes or devices do not fit together, or the backend
            is unknown.
        RuntimeError: if the forced backend cannot run here.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(
            f"bi_wkv: unknown backend {backend!r}; choose one of {', '.join(BACKENDS)}"
        )
    _check(r, k, v, w, u)
    return torch.ops.lcr.bi_wkv(r, k, v, w, u, backend=backend or "auto")


def _check(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> None:
    if r.dim() != 4:
        raise ValueError(
            f"bi_wkv: r must be (B, T, H, K), got shape {tuple(r.shape)}; "
            "split the channels into heads first, e.g. r.unflatten(-1, (heads, -1))"
        )
    if r.shape[1] == 0:
        raise ValueError("bi_wkv: r has no tokens; T must be at least 1")
    static, per_token = tuple(r.shape[2:]), tuple(r.shape)
    shapes = {
        "k": (k, [per_token]),
        "v": (v, [(*per_token[:3], v.shape[-1])]),
        "w": (w, [static, per_token]),
        "u": (u, [static]),
    }
    for name, (tensor, wanted) in shapes.items():
        if tuple(tensor.shape) not in wanted:
            raise ValueError(
                f"bi_wkv: {name} has shape {tuple(tensor.shape)}, expected "
                f"{' or '.join(map(str, wanted))} to go with r {per_token}"
            )
        if tensor.device != r.device:
            raise ValueError(
                f"bi_wkv: {name} is on {tensor.device} but r is on {r.device}; "
                "move them to one device"
            )
    autocast = torch.is_autocast_enabled(r.device.type)
    if not autocast and not r.dtype == k.dtype == v.dtype:
        raise ValueError(
            f"bi_wkv: r, k and v have dtypes {r.dtype}, {k.dtype} and {v.dtype}; "
            "cast them to one"
        )
    for name, tensor in {"r": r, "w": w, "u": u}.items():
        if tensor.dtype not in _DTYPES:
            raise ValueError(
                f"bi_wkv: {name} has dtype {tensor.dtype}, expected one of "
                f"{', '.join(map(str, _DTYPES))}"
            )
