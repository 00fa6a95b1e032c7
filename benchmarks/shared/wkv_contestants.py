"""Who is measured beside ``bi_wkv``, and why somebody is not.

Contestants that compute the same function take r, k, v, w, u as ``bi_wkv`` does. Those
that know only a decay per token are given one, so that copying it is not timed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lcr_mmaction.ops import bi_wkv
from lcr_mmaction.ops.extension import why_missing

HEADS, SIZE = 3, 64
# Vision-RWKV's backward keeps one number per token in an array of this length.
VISION_RWKV_LONGEST = 256


@dataclass(frozen=True)
class Contestant:
    """A function of r, k, v, w, u and what it can take."""

    function: Callable[..., Tensor]
    longest: int | None = None
    dtype: torch.dtype | None = None  # if it has only one
    per_token_decay: bool = False
    is_wkv: bool = True

    def inputs(self, batch: int, tokens: int, device: str) -> list[Tensor]:
        """Leaves r, k, v, w, u: bfloat16 tokens on a GPU, float32 on a CPU."""
        torch.manual_seed(0)
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        shape = (batch, tokens, HEADS, SIZE)
        rkv = [torch.randn(shape, dtype=dtype).to(device) for _ in range(3)]
        w = -torch.linspace(-5, 0, SIZE, device=device).exp().repeat(HEADS, 1)
        u = torch.randn(HEADS, SIZE).to(device)
        if not self.is_wkv:
            rkv = [x.transpose(1, 2).contiguous() for x in rkv]
        if self.per_token_decay:
            w = w.expand(shape).to(dtype).contiguous()
        if self.dtype:
            rkv, w = [x.to(self.dtype) for x in rkv], w.to(self.dtype)
        return [x.requires_grad_() for x in (*rkv, w, u)]


def token_loop(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The recurrence in float32, one token after the other in both directions."""
    dtype, (r, k, v) = v.dtype, (x.float() for x in (r, k, v))
    decay = w.exp().unsqueeze(-1)
    outer = (k.unsqueeze(-1) * v.unsqueeze(-2)).unbind(1)
    queries = r.unsqueeze(-2).unbind(1)
    y = list(((r * u * k).sum(-1, keepdim=True) * v).unbind(1))
    for order in (range(len(y)), range(len(y) - 1, -1, -1)):
        state = torch.zeros_like(outer[0])
        for t in order:
            y[t] = y[t] + (queries[t] @ state).squeeze(-2)
            state = decay * state + outer[t]
    return torch.stack(y, dim=1).to(dtype)


def softmax_attention(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Attention over the same tokens, in the layout it likes best."""
    del w, u
    return F.scaled_dot_product_attention(r, k, v)


class VisionRWKV(torch.autograd.Function):
    """The operator that Vision-RWKV's ``wkv6`` extension registers, once loaded.

    It returns the gradient of ``log(-w)``, its own parameter, in the place of w's.
    """

    @staticmethod
    def forward(ctx: Any, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor):  # noqa: ANN205
        """Output, float32."""
        ctx.save_for_backward(r, k, v, w, u)
        batch, tokens, heads, size = r.shape
        ctx.sizes = (batch, tokens, heads * size, heads)
        y = torch.empty_like(v)
        torch.ops.wkv6.forward(*ctx.sizes, r, k, v, w, u, y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor):  # noqa: ANN205
        """Gradients; the bonus' is summed over the batch."""
        grads = [torch.empty_like(x) for x in ctx.saved_tensors[:4]]
        du = dy.new_empty(dy.shape[0], *ctx.saved_tensors[4].shape)
        arguments = (*ctx.saved_tensors, dy.contiguous(), *grads, du)
        torch.ops.wkv6.backward(*ctx.sizes, *arguments)
        return *grads, du.sum(0)


def both_ways(one_way: Callable[..., tuple[Tensor, Tensor]], can_reverse: bool):  # noqa: ANN201
    """A one-directional RWKV-6 run forward and in reverse."""

    def run(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
        ahead, _ = one_way(r, k, v, w, u, scale=1.0)
        nothing = torch.zeros_like(u)
        if can_reverse:
            return ahead + one_way(r, k, v, w, nothing, scale=1.0, reverse=True)[0]
        r, k, v, w = (x.flip(1) for x in (r, k, v, w))
        return ahead + one_way(r, k, v, w, nothing, scale=1.0)[0].flip(1)

    return run


def contestants(
    device: str, vision_rwkv: Path | None
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Who takes part, ``bi_wkv`` first, and who does not, with the reason.

    Args:
        device: ``'cpu'`` or ``'cuda'``.
        vision_rwkv: the ``wkv6`` extension, built from a checkout of Vision-RWKV.

    Raises:
        RuntimeError: if bi_wkv itself has no kernel for the device.
    """
    if reason := why_missing(device):
        raise RuntimeError(f"there is no {device} kernel to measure: {reason}")
    entries = {
        "bi_wkv": Contestant(functools.partial(bi_wkv, backend=device)),
        "chunked PyTorch": Contestant(functools.partial(bi_wkv, backend="chunked")),
        "token loop": Contestant(token_loop, longest=3137),
        "softmax attention": Contestant(
            softmax_attention, longest=3137 if device == "cpu" else None, is_wkv=False
        ),
    }
    missing = {}
    for add in (_add_flash_linear_attention, _add_vision_rwkv):
        if device == "cuda":
            add(entries, missing, vision_rwkv)
        else:
            missing[add.__doc__] = "runs on a GPU only (--device cuda)"
    _leave_out_those_that_disagree(entries, missing, device)
    return entries, missing


def _add_flash_linear_attention(entries: dict, missing: dict, _: Path | None) -> None:
    """flash-linear-attention."""
    try:
        from fla.ops.rwkv6 import chunk_rwkv6, fused_recurrent_rwkv6
    except ImportError as error:
        missing[_add_flash_linear_attention.__doc__] = f"does not import: {error}"
        return
    functions = {
        "fla chunk_rwkv6": both_ways(chunk_rwkv6, can_reverse=False),
        "fla fused_recurrent_rwkv6": both_ways(fused_recurrent_rwkv6, can_reverse=True),
    }
    for name, function in functions.items():
        entries[name] = Contestant(function, per_token_decay=True)


def _add_vision_rwkv(entries: dict, missing: dict, library: Path | None) -> None:
    """Vision-RWKV wkv6."""
    name = _add_vision_rwkv.__doc__
    try:
        if library is None:
            raise OSError("name its compiled extension with --vision-rwkv wkv6.so")
        torch.ops.load_library(library)
    except OSError as error:
        missing[name] = str(error)
        return
    entries[name] = Contestant(
        VisionRWKV.apply, VISION_RWKV_LONGEST, torch.float32, per_token_decay=True
    )


def _leave_out_those_that_disagree(entries: dict, missing: dict, device: str) -> None:
    """Whoever computes something else (another layout, say) is not to be measured."""
    outputs = {}
    for name, entry in entries.items():
        if entry.is_wkv:
            with torch.no_grad():
                outputs[name] = entry.function(*entry.inputs(2, 49, device)).float()
    for name, y in outputs.items():
        wanted = outputs["bi_wkv"]
        error = ((y - wanted).norm() / wanted.norm()).item()
        if not error < 0.03:
            missing[name] = f"its output is off by {error:.1%}"
            del entries[name]
