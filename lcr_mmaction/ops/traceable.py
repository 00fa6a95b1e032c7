"""``bi_wkv`` in standard operators, for graphs that leave PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def traceable_bi_wkv(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """``bi_wkv`` in standard out-of-place operators, of a fixed number of tokens.

    Divides and conquers as :mod:`lcr_mmaction.ops.chunked` does: at each level of a
    binary tree, tokens of one half meet those of the other over their border.
    Arguments and result as for :func:`lcr_mmaction.ops.bi_wkv`, in float32.
    """
    tokens = int(r.shape[1])
    size, levels = 8, 0
    while size << levels < tokens:
        levels += 1
    length = size << levels

    def by_head(x: Tensor) -> Tensor:
        return F.pad(x.transpose(1, 2), (0, 0, 0, length - tokens))

    static = w.dim() == 2
    r, k, v = by_head(r), by_head(k), by_head(v)
    w = w[None, :, None].expand(1, -1, length, -1) if static else by_head(w)
    bonus = (r * k * u[:, None]).sum(dim=-1, keepdim=True)
    result = _leaves(r, k, v, w, size) + bonus * v
    for _ in range(levels):
        result = result + _border(r, k, v, w, size)
        size *= 2
    return result[:, :, :tokens].transpose(1, 2)


def _leaves(r: Tensor, k: Tensor, v: Tensor, w: Tensor, leaf: int) -> Tensor:
    """Pairs of different tokens within leaves of ``leaf`` tokens."""
    spans, meets = _leaf_masks(leaf)
    r, k, v, w = (x.unflatten(2, (-1, leaf)) for x in (r, k, v, w))
    decay = (spans.to(w) @ w.unsqueeze(3)).exp()
    scores = (r.unsqueeze(3) * decay) @ (k.unsqueeze(3) * decay).transpose(-1, -2)
    scores = (scores * meets.to(w)).sum(dim=3)
    return (scores @ v).flatten(2, 3)


def _border(r: Tensor, k: Tensor, v: Tensor, w: Tensor, size: int) -> Tensor:
    """Pairs of tokens from different halves of nodes of ``2 * size`` tokens."""
    r, k, v, w = (x.unflatten(2, (-1, 2, size)) for x in (r, k, v, w))
    ahead, behind = _border_masks(size)
    # Log-decay from a token to the border: the sum over those in between.
    log_decay = torch.stack(
        [ahead.to(w) @ w[:, :, :, 0], behind.to(w) @ w[:, :, :, 1]], dim=3
    )
    decay = log_decay.exp()
    query, key = r * decay, k * decay
    other_key = torch.stack([key[:, :, :, 1], key[:, :, :, 0]], dim=3)
    other_value = torch.stack([v[:, :, :, 1], v[:, :, :, 0]], dim=3)
    state = other_key.transpose(-1, -2) @ other_value
    return (query @ state).flatten(2, 4)


def _leaf_masks(leaf: int) -> tuple[Tensor, Tensor]:
    """Tokens between x and its border, and pairs parted, at each level of a leaf."""
    spans, meets = [], []
    index = torch.arange(leaf)
    x, j = index[:, None], index[None]
    half = 1
    while half < leaf:
        same = x // half == j // half
        is_right = (x // half) % 2 == 1
        spans.append(same & torch.where(is_right, j < x, j > x))
        meets.append((x // half != j // half) & (x // (2 * half) == j // (2 * half)))
        half *= 2
    return torch.stack(spans), torch.stack(meets)


def _border_masks(size: int) -> tuple[Tensor, Tensor]:
    """Tokens after, and before, each token of a half: ``[size, size]``."""
    index = torch.arange(size)
    return index[None] > index[:, None], index[None] < index[:, None]
