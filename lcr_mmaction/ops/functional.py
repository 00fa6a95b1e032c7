"""The public ``bi_wkv`` function."""

from __future__ import annotations

from torch import Tensor

from .chunked import bi_wkv_chunked


def bi_wkv(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Bidirectional, multi-head, matrix-valued WKV.

    ``y_t = r_t . [ diag(u) k_t v_t^T + sum_{s != t} diag(d_ts) k_s v_s^T ]`` with
    ``d_ts = prod_j exp(w_j)`` over the tokens ``j`` strictly between ``s`` and ``t``.
    The result is not scaled by the head size.

    Args:
        r: receptance, ``(B, T, H, K)``; float32, bfloat16, float16 or float64.
        k: key, ``(B, T, H, K)``.
        v: value, ``(B, T, H, V)``.
        w: log-decay, at most 0: ``(H, K)``, or ``(B, T, H, K)`` per token.
        u: bonus of the token itself, ``(H, K)``.

    Returns:
        ``(B, T, H, V)`` in the dtype of ``v``.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    _check_shapes(r, k, v, w, u)
    return bi_wkv_chunked(r, k, v, w, u)


def _check_shapes(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> None:
    if r.dim() != 4:
        raise ValueError(
            f"bi_wkv: r must be (B, T, H, K), got shape {tuple(r.shape)}; "
            "split the channels into heads first, e.g. r.unflatten(-1, (heads, -1))"
        )
    batch, tokens, heads, key_size = r.shape
    wanted = {
        "k": (k, [(batch, tokens, heads, key_size)]),
        "v": (v, [(batch, tokens, heads, v.shape[-1])]),
        "w": (w, [(heads, key_size), (batch, tokens, heads, key_size)]),
        "u": (u, [(heads, key_size)]),
    }
    for name, (tensor, shapes) in wanted.items():
        if tuple(tensor.shape) not in shapes:
            raise ValueError(
                f"bi_wkv: {name} has shape {tuple(tensor.shape)}, expected "
                f"{' or '.join(map(str, shapes))} to go with r {tuple(r.shape)}"
            )
