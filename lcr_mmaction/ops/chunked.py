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
``O(T log T)``.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

LEAF = 16


def bi_wkv_chunked(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Bidirectional WKV in ``O(T log T)``, differentiable by autograd.

    Arguments and result as for :func:`lcr_mmaction.ops.bi_wkv`. Half-precision inputs
    are computed in float32.
    """
    out_dtype = v.dtype
    compute = torch.promote_types(out_dtype, torch.float32)
    batch, tokens, heads, _ = r.shape
    levels = max(0, (tokens - 1).bit_length() - LEAF.bit_length() + 1)
    leaf = -(-tokens // 2**levels)
    padding = leaf * 2**levels - tokens

    def by_head(x: Tensor) -> Tensor:
        """(B, T, H, C) -> (B, H, T + padding, C), the padding being zero."""
        x = x.to(compute).transpose(1, 2)
        return F.pad(x, (0, 0, 0, padding)) if padding else x.contiguous()

    r, k, v = by_head(r), by_head(k), by_head(v)
    w = by_head(w) if w.dim() == 4 else w.to(compute)

    y = _within_leaves(r, k, v, w, u.to(compute), leaf)
    size = leaf
    while size < r.shape[2]:
        y = y + _across_border(r, k, v, w, size)
        size *= 2
    return y[:, :, :tokens].transpose(1, 2).to(out_dtype)


def _within_leaves(
    r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, leaf: int
) -> Tensor:
    """All pairs inside each leaf, and each token with itself."""
    r, k, v = (x.unflatten(2, (-1, leaf)) for x in (r, k, v))
    bonus = (r * k * u[:, None, None]).sum(-1, keepdim=True)
    spans, meets = _leaf_tables(leaf, r.device, r.dtype)
    if w.dim() == 4:
        # (levels, x, j) @ (B, H, leaves, 1, j, K): decay of x to its border.
        log_decay = spans @ w.unflatten(2, (-1, leaf)).unsqueeze(3)
    else:
        log_decay = (spans.sum(-1, keepdim=True) * w[:, None, None, None])
    decay = log_decay.exp()
    scores = (r.unsqueeze(3) * decay) @ (k.unsqueeze(3) * decay).transpose(-1, -2)
    scores = (scores * meets).sum(3)
    return (scores @ v + bonus * v).flatten(2, 3)


@functools.lru_cache(maxsize=64)
def _leaf_tables(
    leaf: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Constants of a leaf: who is spanned at each level, and who meets whom.

    Returns:
        ``spans`` ``(levels, leaf, leaf)``: 1 where token ``j`` lies strictly between
        token ``x`` and the border of the node that holds ``x`` at that level (that is,
        between ``x`` and the first token past the border), and ``meets`` of the same
        shape: 1 where two tokens are parted by that level's border.
    """
    with torch.inference_mode(False):
        level = torch.arange((leaf - 1).bit_length())[:, None, None]
        x, j = torch.arange(leaf)[:, None], torch.arange(leaf)
        half_x, half_j = x >> level, j >> level
        towards_border = torch.where(half_x % 2 == 1, j < x, j > x)
        spans = (half_x == half_j) & towards_border
        meets = half_x ^ half_j == 1
        return spans.to(device, dtype), meets.to(device, dtype)


def _across_border(r: Tensor, k: Tensor, v: Tensor, w: Tensor, size: int) -> Tensor:
    """All pairs between the halves, of ``size`` tokens each, of every node."""
    r_halves, k_halves, v_halves = (
        x.unflatten(2, (-1, 2, size)).unbind(3) for x in (r, k, v)
    )
    if w.dim() == 4:
        left, right = w.unflatten(2, (-1, 2, size)).unbind(3)
        # Exclusive sums: a token does not decay what it reads or writes itself.
        to_left = F.pad(left.flip(3)[..., :-1, :], (0, 0, 1, 0)).cumsum(3).flip(3)
        to_right = F.pad(right[..., :-1, :], (0, 0, 1, 0)).cumsum(3)
        decays = to_left.exp(), to_right.exp()
    else:
        distance = torch.arange(size, device=w.device, dtype=w.dtype)[:, None]
        right = (distance * w[:, None, None]).exp()
        decays = right.flip(2), right
    halves = []
    for here, there in ((0, 1), (1, 0)):
        query = r_halves[here] * decays[here]
        key = (k_halves[there] * decays[there]).transpose(-1, -2)
        value = v_halves[there]
        key_size, value_size = query.shape[-1], value.shape[-1]
        if size * (key_size + value_size) <= 2 * key_size * value_size:
            halves.append((query @ key) @ value)
        else:
            halves.append(query @ (key @ value))
    return torch.stack(halves, dim=3).flatten(2, 4)
