"""Bidirectional WKV by divide and conquer, in plain PyTorch on any device.

Two different tokens ``s`` and ``t`` part ways at exactly one level of a binary tree
over the sequence: there is one node whose left half holds one of them and whose right
half holds the other. With ``b`` the border between the halves,

    decay between s and t = (decay from s to b) * (decay from b to t),

and the two factors belong to one token each. So at every level a token's receptance
and key are multiplied by *one* factor, its decay to the border, and ordinary matrix
products do the rest, in both directions at once. Because the border lies between the
two tokens, no exponent is ever positive: nothing overflows, nothing is clamped, and
gradients of the decay are sums without cancellation, for any decay.

Tokens within one leaf (at most ``LEAF`` of them) pair up inside small score matrices,
all leaf levels at once; above, each level is a few batched products. The work is
``O(T log T)``, the memory ``O(T)``. Half-precision inputs are computed in float32.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

LEAF = 16


def bi_wkv_chunked(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Forward pass; arguments and result as for ``lcr_mmaction.ops.bi_wkv``."""
    tokens, out_dtype = r.shape[1], v.dtype
    leaf, length, dtype = tree_over(tokens, out_dtype)
    r, k, v = (by_head(x, length, dtype) for x in (r, k, v))
    w = by_head(w, length, dtype) if w.dim() == 4 else w.to(dtype)

    y = _forward_leaves(r, k, v, w, u.to(dtype), leaf)
    size = leaf
    while size < length:
        r2, k2, v2, y2 = (halves(x, size) for x in (r, k, v, y))
        decay = border_decays(w, size)
        for here, there in ((0, 1), (1, 0)):
            query, key = r2[here] * decay[here], k2[there] * decay[there]
            if by_scores(size, key, v2[there]):
                y2[here].add_((query @ key.mT) @ v2[there])
            else:
                y2[here].add_(query @ (key.mT @ v2[there]))
        size *= 2
    return y[:, :, :tokens].transpose(1, 2).to(out_dtype).contiguous()


def bi_wkv_chunked_backward(
    dy: Tensor, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of r, k, v, w and u, each with the shape and dtype of its input."""
    inputs, tokens = (r, k, v, w, u), r.shape[1]
    leaf, length, dtype = tree_over(tokens, v.dtype)
    dy, r, k, v = (by_head(x, length, dtype) for x in (dy, r, k, v))
    w = by_head(w, length, dtype) if w.dim() == 4 else w.to(dtype)

    dr, dk, dv, dw, du = _backward_leaves(dy, r, k, v, w, u.to(dtype), leaf)
    size = leaf
    while size < length:
        r2, k2, v2, dy2 = (halves(x, size) for x in (r, k, v, dy))
        dr2, dk2, dv2 = (halves(x, size) for x in (dr, dk, dv))
        decay = border_decays(w, size)
        dlog_decay: list[Any] = [0.0, 0.0]  # tensors once something is added
        for here, there in ((0, 1), (1, 0)):
            query, key = r2[here] * decay[here], k2[there] * decay[there]
            value, grad = v2[there], dy2[here]
            if by_scores(size, key, value):
                dscores = grad @ value.mT
                dquery, dkey = dscores @ key, dscores.mT @ query
                dv2[there].add_((key @ query.mT) @ grad)
            else:
                dstate = query.mT @ grad
                dquery, dkey = grad @ (value.mT @ key), value @ dstate.mT
                dv2[there].add_(key @ dstate)
            dr2[here].addcmul_(dquery, decay[here])
            dk2[there].addcmul_(dkey, decay[there])
            dlog_decay[here] = dlog_decay[here] + query * dquery
            dlog_decay[there] = dlog_decay[there] + key * dkey
        _add_decay_gradient(dw, dlog_decay, size)
        size *= 2

    grads = [x[:, :, :tokens].transpose(1, 2) for x in (dr, dk, dv)]
    grads += [dw[:, :, :tokens].transpose(1, 2) if dw.dim() == 4 else dw, du]
    wanted = zip(grads, inputs, strict=True)
    five = tuple(gradient.to(x.dtype).contiguous() for gradient, x in wanted)
    return cast(tuple[Tensor, Tensor, Tensor, Tensor, Tensor], five)


def tree_over(tokens: int, dtype: torch.dtype) -> tuple[int, int, torch.dtype]:
    """Leaf size and padded length of the tree, and the dtype to compute in."""
    levels = max(0, (tokens - 1).bit_length() - LEAF.bit_length() + 1)
    leaf = -(-tokens // 2**levels)
    return leaf, leaf * 2**levels, torch.promote_types(dtype, torch.float32)


def by_head(x: Tensor, length: int, dtype: torch.dtype) -> Tensor:
    """(B, T, H, C) -> contiguous (B, H, length, C), the padding being zero."""
    padded = x.new_zeros(x.shape[0], x.shape[2], length, x.shape[3], dtype=dtype)
    padded[:, :, : x.shape[1]] = x.transpose(1, 2)
    return padded


def halves(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Left and right halves, (B, H, nodes, size, C) each, as views of ``x``."""
    left, right = x.view(*x.shape[:2], -1, 2, size, x.shape[3]).unbind(3)
    return left, right


def by_scores(size: int, key: Tensor, value: Tensor) -> bool:
    """Whether (query key^T) value takes less work than query (key^T value)."""
    key_size, value_size = key.shape[-1], value.shape[-1]
    return size * (key_size + value_size) <= 2 * key_size * value_size


def border_decays(w: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Decay from each token to the border of its node, for either half."""
    if w.dim() == 2:
        distance = torch.arange(size, device=w.device, dtype=w.dtype)[:, None]
        right = (distance * w[:, None, None]).exp()
        return right.flip(2), right
    left, right = halves(w, size)
    # A token is decayed by those between it and the border, not by itself.
    left = F.pad(left[..., 1:, :].flip(3), (0, 0, 1, 0)).cumsum(3).flip(3)
    right = F.pad(right[..., :-1, :], (0, 0, 1, 0)).cumsum(3)
    return left.exp_(), right.exp_()


def _add_decay_gradient(dw: Tensor, dlog_decay: list[Tensor], size: int) -> None:
    """Transpose of ``border_decays`` before its exponential, added to ``dw``."""
    left, right = dlog_decay
    if dw.dim() == 2:
        distance = torch.arange(size, device=dw.device, dtype=dw.dtype)
        total = right.sum(dim=(0, 2)) + left.sum(dim=(0, 2)).flip(1)
        dw.add_(torch.einsum("htk,t->hk", total, distance))
        return
    dw_left, dw_right = halves(dw, size)
    dw_left[..., 1:, :].add_(left[..., :-1, :].cumsum(3))
    dw_right[..., :-1, :].add_(right[..., 1:, :].flip(3).cumsum(3).flip(3))


@functools.lru_cache(maxsize=64)
def _leaf_tables(
    leaf: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Constants of a leaf: who is spanned at each level, and who meets whom.

    Returns:
        ``spans`` ``(levels, leaf, leaf)``: 1 where token ``j`` lies between token
        ``x`` and the border of the node that holds ``x`` at that level; and ``meets``
        of the same shape: 1 where two tokens are parted by that level's border.
    """
    with torch.inference_mode(False):
        level = torch.arange((leaf - 1).bit_length())[:, None, None]
        x, j = torch.arange(leaf)[:, None], torch.arange(leaf)
        half_x, half_j = x >> level, j >> level
        towards_border = torch.where(half_x % 2 == 1, j < x, j > x)
        spans = (half_x == half_j) & towards_border
        meets = half_x ^ half_j == 1
        return spans.to(device, dtype), meets.to(device, dtype)


def _leaf_decays(w: Tensor, spans: Tensor) -> Tensor:
    """Decay of each token to its border at each leaf level, (..., levels, leaf, K)."""
    if w.dim() == 2:
        return (spans.sum(-1, keepdim=True) * w[:, None, None, None]).exp_()
    leaf = spans.shape[-1]
    return (spans @ w.unflatten(2, (-1, leaf)).unsqueeze(3)).exp_()


def _forward_leaves(
    r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, leaf: int
) -> Tensor:
    """All pairs inside each leaf, and each token with itself."""
    spans, meets = _leaf_tables(leaf, r.device, r.dtype)
    r, k, v = (x.unflatten(2, (-1, leaf)) for x in (r, k, v))
    decay = _leaf_decays(w, spans)
    scores = (r.unsqueeze(3) * decay) @ (k.unsqueeze(3) * decay).mT
    scores = scores.mul_(meets).sum(3)
    scores.diagonal(dim1=-2, dim2=-1).copy_((r * k * u[:, None, None]).sum(-1))
    return (scores @ v).flatten(2, 3)


def _backward_leaves(
    dy: Tensor, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, leaf: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    spans, meets = _leaf_tables(leaf, r.device, r.dtype)
    dy, r, k, v = (x.unflatten(2, (-1, leaf)) for x in (dy, r, k, v))
    u = u[:, None, None]
    decay = _leaf_decays(w, spans)
    query, key = r.unsqueeze(3) * decay, k.unsqueeze(3) * decay
    scores = (query @ key.mT).mul_(meets).sum(3)
    scores.diagonal(dim1=-2, dim2=-1).copy_((r * k * u).sum(-1))
    dv = scores.mT @ dy

    dscores = dy @ v.mT
    dbonus = dscores.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    dmet = dscores.unsqueeze(3) * meets
    dquery, dkey = dmet @ key, dmet.mT @ query
    dr = (dquery * decay).sum(3).addcmul_(dbonus * u, k)
    dk = (dkey * decay).sum(3).addcmul_(dbonus * u, r)
    du = (dbonus * r * k).sum(dim=(0, 2, 3))

    dlog_decay = query.mul_(dquery).add_(key.mul_(dkey))
    if w.dim() == 2:
        total = dlog_decay.sum(dim=(0, 2))
        dw = torch.einsum("hltk,ltj->hk", total, spans)
    else:
        dw = (spans.mT @ dlog_decay).sum(3).flatten(2, 3)
    return dr.flatten(2, 3), dk.flatten(2, 3), dv.flatten(2, 3), dw, du
