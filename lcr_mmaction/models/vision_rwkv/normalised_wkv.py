"""The normalised WKV of Vision-RWKV's first version (arXiv 2403.02308).

A weighted mean of the values, one channel by itself:

    y_t = sum_i a_ti v_i / sum_i a_ti,   a_tt = exp(u / T + k_t),
    a_ti = exp(k_i - (|t - i| - 1) w / T) for i != t,

T the number of tokens. The decay w may be negative: what is far then weighs more.
Both sums are two cumulative sums, one a direction: with ``l = w / T``,

    sum_{i < t} exp(-(t - 1 - i) l) x_i = exp(l) exp(-t l) sum_{i < t} exp(i l) x_i,

``t`` counted from the middle of the sequence, so that no factor exceeds
``exp(|w| / 2)``. Keys are taken less their maximum over the tokens, which the quotient
cancels. In float32 that holds for ``|w| <= 40`` (Vision-RWKV starts between -5 and 3);
far beyond, results are not numbers. The work and the memory are linear in T, and
nothing but the inputs is kept for the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.analysis import complexity_analysis
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

CPU_ELEMENTS_AT_ONCE = 1 << 18


def normalised_bi_wkv(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Normalised bidirectional WKV with a decay of any sign.

    Half-precision inputs are computed in float32. The kernel of the published code
    adds 1e-6 to the denominator, whose largest term is scaled to 1; here nothing is
    added.

    Args:
        k: key, ``(B, T, C)``; float32, bfloat16, float16 or float64.
        v: value, ``(B, T, C)``.
        w: decay over the whole sequence, ``(C,)``, of either sign.
        u: bonus of the token itself, ``(C,)``, divided by T too.

    Returns:
        ``(B, T, C)`` in the dtype of ``v``.

    Raises:
        ValueError: Shapes do not fit together, or there is no token.
    """
    if k.dim() != 3 or k.shape != v.shape or k.shape[1] == 0:
        raise ValueError(
            "normalised_bi_wkv: k and v must be (B, T, C) of one shape with T >= 1, "
            f"got {tuple(k.shape)} and {tuple(v.shape)}"
        )
    if not w.shape == u.shape == k.shape[2:]:
        raise ValueError(
            f"normalised_bi_wkv: w and u must be ({k.shape[2]},) to go with k "
            f"{tuple(k.shape)}, got {tuple(w.shape)} and {tuple(u.shape)}"
        )
    return _forward(k, v, w, u)


def traceable_normalised_bi_wkv(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """``normalised_bi_wkv`` in standard operators, for graphs that leave PyTorch."""
    dtype = torch.promote_types(v.dtype, torch.float32)
    terms = _terms(k.to(dtype), v.to(dtype))
    sums = _all_sums(terms, w.to(dtype), u.to(dtype))
    return (sums[:, :, 0] / sums[:, :, 1]).to(v.dtype)


@torch.library.custom_op("lcr::normalised_bi_wkv", mutates_args=())
def _forward(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    parts = [
        traceable_normalised_bi_wkv(k_part, v_part, w, u)
        for k_part, v_part in _parts(k, v)
    ]
    return torch.cat(parts) if parts else v.new_empty(v.shape)


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Cut the batch: as many sequences at once as a CPU's caches hold."""
    count = tensors[0].shape[0]
    if tensors[0].device.type == "cpu":
        count = max(1, CPU_ELEMENTS_AT_ONCE // tensors[0][:1].numel())
    return zip(*(x.split(max(count, 1)) for x in tensors), strict=True)


@torch.library.custom_op("lcr::normalised_bi_wkv_backward", mutates_args=())
def _backward(
    dy: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dk, dv = k.new_empty(k.shape), v.new_empty(v.shape)
    dtype = torch.promote_types(v.dtype, torch.float32)
    dw, du = torch.zeros_like(w, dtype=dtype), torch.zeros_like(u, dtype=dtype)
    for dy_part, k_part, v_part, dk_part, dv_part in _parts(dy, k, v, dk, dv):
        inputs = (x.to(dtype) for x in (dy_part, k_part, v_part, w, u))
        grads = _part_gradients(*inputs)
        dk_part.copy_(grads[0])
        dv_part.copy_(grads[1])
        dw += grads[2]
        du += grads[3]
    return dk, dv, dw.to(w.dtype), du.to(u.dtype)


def _part_gradients(
    dy: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    num_tokens = k.shape[1]
    terms = _terms(k, v)
    sums = _all_sums(terms, w, u)
    numerator, denominator = sums.unbind(2)
    # Of the two sums, and then of the terms: the matrix of weights is symmetric.
    dsums = torch.stack([dy, -dy * numerator / denominator], 2)
    dsums = dsums / denominator.unsqueeze(2)
    dterms = _all_sums(dsums, w, u)
    weight = terms[:, :, 1]
    dv = dterms[:, :, 0] * weight
    dk = dv * v + dterms[:, :, 1] * weight
    dw = -(dsums * _distance_sums(terms, w)).sum(dim=(0, 1, 2)) / num_tokens
    du = (dsums * terms).sum(dim=(0, 1, 2)) * (u / num_tokens).exp() / num_tokens
    return dk, dv, dw, du


def _terms(k: Tensor, v: Tensor) -> Tensor:
    """What is summed in numerator and denominator: ``(B, T, 2, C)``."""
    weight = (k - k.amax(dim=1, keepdim=True)).exp()
    return torch.stack([weight * v, weight], dim=2)


def _scales(w: Tensor, num_tokens: int) -> tuple[Tensor, Tensor]:
    """``exp(t l)`` and ``exp(-t l)``, ``(T, 1, C)`` each, t from the middle."""
    place = torch.arange(num_tokens, device=w.device, dtype=w.dtype)
    place = (place - (num_tokens - 1) / 2) / num_tokens
    exponent = place[:, None, None] * w
    return exponent.exp(), (-exponent).exp()


def _sum_before(x: Tensor) -> Tensor:
    """``sum_{i < t} x_i`` over axis 1 of ``(B, T, 2, C)``."""
    return F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0)).cumsum(dim=1)


def _sum_after(x: Tensor) -> Tensor:
    """``sum_{i > t} x_i`` over axis 1 of ``(B, T, 2, C)``."""
    return F.pad(x[:, 1:].flip(1), (0, 0, 0, 0, 1, 0)).cumsum(dim=1).flip(1)


def _all_sums(x: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """``sum_i a_ti x_i`` of ``(B, T, 2, C)`` with keys of zero in ``a_ti``."""
    num_tokens = x.shape[1]
    rise, fall = _scales(w, num_tokens)
    others = fall * _sum_before(rise * x) + rise * _sum_after(fall * x)
    return (w / num_tokens).exp() * others + (u / num_tokens).exp() * x


def _distance_sums(x: Tensor, w: Tensor) -> Tensor:
    """As ``_all_sums``, each term times the tokens between it and t.

    Summing the sums again counts the tokens in between, without a cancellation.
    """
    num_tokens = x.shape[1]
    rise, fall = _scales(w, num_tokens)
    before = fall * _sum_before(_sum_before(rise * x))
    after = rise * _sum_after(_sum_after(fall * x))
    return (w / num_tokens).exp() * (before + after)


@_forward.register_fake
def _forward_shape(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    return v.new_empty(v.shape)


@_backward.register_fake
def _backward_shapes(
    dy: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        k.new_empty(k.shape),
        v.new_empty(v.shape),
        w.new_empty(w.shape),
        u.new_empty(u.shape),
    )


def _save_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _backward(dy, *ctx.saved_tensors)


_forward.register_autograd(_gradients, setup_context=_save_inputs)


def normalised_bi_wkv_multiply_adds(value_shape: Sequence[int]) -> int:
    """Multiply-adds of one forward call on values ``(B, T, C)``: 12 an element.

    Numerator and denominator of two directions are updated and read (8), the token's
    own terms added (2), a value weighted and the quotient taken (1 each).
    """
    batch, num_tokens, channels = value_shape
    return 12 * batch * num_tokens * channels


def _traced(inputs: list[Any], outputs: list[Any]) -> int:
    """Handle for MMEngine, which passes values of a traced graph."""
    return normalised_bi_wkv_multiply_adds(inputs[1].type().sizes())


def _register_flops() -> None:
    @register_flop_formula(torch.ops.lcr.normalised_bi_wkv)
    def forward(k, v, *args: Any, out_shape=None, **kwargs: Any) -> int:  # noqa: ANN001
        return 2 * normalised_bi_wkv_multiply_adds(v)

    @register_flop_formula(torch.ops.lcr.normalised_bi_wkv_backward)
    def backward(dy, k, v, *args: Any, out_shape=None, **kwargs: Any) -> int:  # noqa: ANN001
        return 3 * 2 * normalised_bi_wkv_multiply_adds(v)

    name = "lcr::normalised_bi_wkv"
    complexity_analysis._DEFAULT_SUPPORTED_FLOP_OPS[name] = _traced
    complexity_analysis._DEFAULT_SUPPORTED_ACT_OPS[name] = (
        complexity_analysis.generic_activation_jit()
    )


_register_flops()
