"""The bidirectional WKV operator written as its equation, in float64.

Slow (quadratic in the number of tokens, with a loop over them) and easy to check
by eye: every other implementation is tested against this one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def bi_wkv_naive(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Bidirectional WKV, straight from the definition; differentiable.

    ``y_t = r_t . [ diag(u) k_t v_t^T + sum_{s != t} diag(d_ts) k_s v_s^T ]`` with
    ``d_ts = prod_j exp(w_j)`` over the tokens ``j`` strictly between ``s`` and ``t``.

    Args:
        r: receptance, ``(B, T, H, K)``, any floating dtype.
        k: key, ``(B, T, H, K)``.
        v: value, ``(B, T, H, V)``.
        w: log-decay, at most 0: ``(H, K)``, or ``(B, T, H, K)`` per token.
        u: bonus of the token itself, ``(H, K)``.

    Returns:
        ``(B, T, H, V)`` in float64.
    """
    r, k, v, w, u = (x.double() for x in (r, k, v, w, u))
    w = w.expand_as(k)
    outputs = []
    for t in range(r.shape[1]):
        y = torch.einsum("bhk,bhk,bhv->bhv", r[:, t], u * k[:, t], v[:, t])
        for s in range(r.shape[1]):
            if s == t:
                continue
            between = w[:, min(s, t) + 1 : max(s, t)]
            decay = between.sum(dim=1).exp()
            y = y + torch.einsum("bhk,bhk,bhv->bhv", r[:, t], decay * k[:, s], v[:, s])
        outputs.append(y)
    return torch.stack(outputs, dim=1)


def bi_wkv_naive_backward(
    dy: Tensor, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of r, k, v, w and u in float64, one pair of tokens at a time."""
    dy, r, k, v, w, u = (x.double() for x in (dy, r, k, v, w, u))
    static, w = w.dim() == 2, w.expand_as(k)
    dr, dk, dv, dw = (torch.zeros_like(x) for x in (r, k, v, w))
    du = torch.zeros_like(u)
    for t in range(r.shape[1]):
        for s in range(r.shape[1]):
            dscore = (dy[:, t] * v[:, s]).sum(-1, keepdim=True)
            if s == t:
                decay = u
                du += (dscore * r[:, t] * k[:, s]).sum(0)
            else:
                between = slice(min(s, t) + 1, max(s, t))
                decay = w[:, between].sum(dim=1).exp()
                dw[:, between] += (dscore * decay * r[:, t] * k[:, s]).unsqueeze(1)
            dr[:, t] += dscore * decay * k[:, s]
            dk[:, s] += dscore * decay * r[:, t]
            score = (r[:, t] * decay * k[:, s]).sum(-1, keepdim=True)
            dv[:, s] += score * dy[:, t]
    return dr, dk, dv, dw.sum(dim=(0, 1)) if static else dw, du
