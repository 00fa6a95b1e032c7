"""Chains of elementwise operations of an LCR block, in one pass each on a CPU.

Written once in PyTorch, which runs anywhere, is traced, compiled and exported; on a CPU
in float32 and bfloat16 the kernels of ``csrc/fused_kernel.cpp`` take its place, forward
and backward. Both compute the same to rounding. The kernels' arithmetic is float32,
and so are parameters and the cell's memory, whatever the activations are.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .extension import is_loaded_or_warn

_PLAIN = (Tensor, nn.Parameter)
_ACTIVATIONS = (torch.float32, torch.bfloat16)


def leaky_cell(
    gated: Tensor, edges: Tensor, scale: Tensor, bias: Tensor, before: Tensor
) -> tuple[Tensor, Tensor]:
    """``C_t = f_t C_{t-1} + (1 - f_t) A_t``, ``H_t = C_t sigmoid(A_t)``.

    ``f_t = sigmoid(scale E_t + bias)``.

    Args:
        gated: A, ``[N, T, L, C]``.
        edges: E, ``[N, T, L, C]``.
        scale: ``[C]``.
        bias: ``[C]``.
        before: C before the first frame, ``[N, L, C]``.

    Returns:
        H and C of every frame, ``[N, T, L, C]`` each.
    """
    if _has_kernel([gated, edges], scale, bias, before):
        gated, edges = _alike(gated, edges)
        return _LeakyCell.apply(gated, edges, scale, bias, before)
    forget = torch.addcmul(bias, edges, scale).sigmoid()
    memory = accumulate((1 - forget) * gated, forget, before)
    return memory * gated.sigmoid(), memory


def accumulate(new: Tensor, keep: Tensor, before: Tensor) -> Tensor:
    """``C_t = keep_t * C_{t-1} + new_t`` for all frames.

    Args:
        new: ``[N, T, L, C]``.
        keep: ``[N, T, L, C]``.
        before: C before the first frame, ``[N, L, C]``.

    Returns:
        C of every frame, ``[N, T, L, C]``.
    """
    memories = []
    # unbind: its gradient is one stack, that of an index a tensor of zeros each.
    for new_t, keep_t in zip(new.unbind(1), keep.unbind(1), strict=True):
        before = torch.addcmul(new_t, keep_t, before)
        memories.append(before)
    return torch.stack(memories, dim=1)


def gated_head_norm(
    heads: Tensor, gate: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> Tensor:
    """``(layer_norm(heads) weight + bias) silu(gate)``, every head by itself.

    Args:
        heads: ``[..., H, K]``, as many rows as ``gate``.
        gate: ``[..., H * K]``.
        weight: ``[H * K]``.
        bias: ``[H * K]``.
        eps: Of the norm.

    Returns:
        ``[..., H * K]``, in the shape and dtype of ``gate``.
    """
    if _has_kernel([heads, gate], weight, bias) and heads.dtype == gate.dtype:
        return _GatedHeadNorm.apply(heads, gate, weight, bias, eps)
    normed = F.layer_norm(heads, heads.shape[-1:], eps=eps).flatten(-2)
    normed = (normed * weight + bias).view(gate.shape) * F.silu(gate)
    return normed.to(gate.dtype)


def rotate_pairs(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channel pairs ``(i, i + K / 2)``.

    Args:
        x: ``[N, ..., L, H, K]``.
        cos: Of the angles, ``[N or 1, L, 1, K / 2]``.
        sin: The same shape.

    Returns:
        Same shape and dtype as ``x``.
    """
    if _has_kernel([x], cos, sin) and not (cos.requires_grad or sin.requires_grad):
        return _Rotate.apply(x, cos, sin)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    while cos.dim() < x.dim():
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def causal_shift(
    tokens: Tensor, weight: Tensor, before: Tensor, height: int
) -> tuple[Tensor, Tensor]:
    """Depthwise convolution over this frame and the last one, 3x3 in each.

    Under autocast the tokens take its dtype, as those of any convolution.

    Args:
        tokens: All tokens of the frames in raster order, ``[N, T, L, C]``.
        weight: Taps on this frame and on the last one, ``[2 C, 1, 3, 3]``.
        before: What the frame before the first gives to it, ``[N, L, C]``.
        height: Rows of the frame; it has ``L / height`` columns.

    Returns:
        Tokens ``[N, T, L, C]`` and what the last frame gives to the next,
        ``[N, L, C]``.
    """
    channels = tokens.shape[-1]
    if _has_kernel([tokens], weight):
        tokens = for_products(tokens)
        if tokens.dtype in _ACTIVATIONS:
            taps = weight.view(2, channels, 9).transpose(1, 2)
            before = before.to(tokens.dtype)
            return _CausalShift.apply(tokens, taps, before, height)
    maps = tokens.reshape(-1, height, tokens.shape[2] // height, channels)
    maps = maps.permute(0, 3, 1, 2)
    now, last = (
        F.conv2d(maps, taps, padding=1, groups=channels)
        .permute(0, 2, 3, 1)
        .reshape(tokens.shape)
        for taps in weight.split(channels)
    )
    past = torch.cat([before.unsqueeze(1), last[:, :-1]], dim=1)
    return now + past, last[:, -1]


def normed_difference(
    both: Tensor, before: Tensor, norm: nn.Module, rectified: bool
) -> Tensor:
    """One half of a frame's channels less the other half of the frame's before, normed.

    Args:
        both: Maps ``[N * T, 2 C, H, W]``: what counts of a frame now, and for the next.
        before: What the frame before the first left, ``[N, C, H, W]``.
        norm: Any norm over C. Batch norm is part of the kernel: when training, and
            when testing without gradients.
        rectified: Whether ReLU comes last.

    Returns:
        ``[N * T, C, H, W]``, in the dtype of ``both``.
    """
    before = before.to(both.dtype)
    if _is_bare_batch_norm(norm) and _has_kernel([both, before], *norm.parameters()):
        maps = _channels_last(both), _channels_last(before)
        average, spread, seen = (
            norm.running_mean,
            norm.running_var,
            norm.num_batches_tracked,
        )
        assert average is not None and spread is not None and seen is not None
        assert norm.momentum is not None
        count = both[:, 0].numel()
        if norm.training and count > 1:
            settings = norm.weight, norm.bias, norm.eps, rectified
            normed, mean, variance = _NormedDifference.apply(*maps, *settings)
            seen.add_(1)
            average.lerp_(mean, norm.momentum)
            spread.lerp_(variance * (count / (count - 1)), norm.momentum)
            return normed
        wanted = both, before, *norm.parameters()
        if not norm.training and not _needs_gradient(*wanted):
            scale = norm.weight * torch.rsqrt(spread + norm.eps)
            shift = norm.bias - average * scale
            return torch.ops.lcr.difference_cpu(*maps, scale, shift, rectified)
    now, last = both.unflatten(0, (len(before), -1)).chunk(2, dim=2)
    last = torch.cat([before.unsqueeze(1), last[:, :-1]], dim=1)
    normed = norm((now - last).flatten(0, 1))
    return normed.relu_() if rectified else normed


def for_products(x: Tensor) -> Tensor:
    """Cast to the dtype of autocast, if there is one: once for all that read ``x``."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return x.to(torch.get_autocast_dtype(kind))
    return x


def add_norm(
    tokens: Tensor, branch: Tensor | None, share: Tensor | None, norm: nn.Module
) -> tuple[Tensor, Tensor]:
    """A residual sum and its norm.

    Under autocast the norm has its dtype where a kernel writes it: products read it.

    Args:
        tokens: ``[N, ..., C]``.
        branch: Added to the tokens, of their shape; None adds nothing.
        share: A number a clip to multiply the branch by, ``[N, 1, ..., 1]``; None: 1.
        norm: A layer norm over C.

    Returns:
        The sum and its norm, of the tokens' shape. Go on with this sum instead of the
        tokens, even with no branch: its gradient is added where that of the norm is.
    """
    if _is_bare_norm(norm) and _has_kernel([], tokens, *norm.parameters()):
        branch = None if branch is None else branch.to(tokens.dtype)
        share = None if branch is None or share is None else share.flatten()
        half = for_products(tokens.new_empty(0)).dtype == torch.bfloat16
        settings = norm.weight, norm.bias, norm.eps, half
        return _AddNorm.apply(tokens, branch, share, *settings)
    if branch is not None:
        tokens = _add(tokens, branch, share)
    return tokens, norm(tokens)


def add_gated(
    tokens: Tensor, gate: Tensor, value: Tensor, share: Tensor | None
) -> Tensor:
    """``tokens + share sigmoid(gate) value``; ``gate`` may be overwritten.

    Args:
        tokens: ``[N, ..., C]``.
        gate: The same shape.
        value: The same shape.
        share: A number a clip, ``[N, 1, ..., 1]``; None: 1.
    """
    if _has_kernel([gate, value], tokens) and gate.dtype == value.dtype:
        share = None if share is None else share.flatten()
        return _AddGated.apply(tokens, gate, value, share)
    return _add(tokens, gate.sigmoid_() * value, share)


def _add(tokens: Tensor, branch: Tensor, share: Tensor | None) -> Tensor:
    if share is None:
        return tokens + branch
    return torch.addcmul(tokens, branch.to(tokens.dtype), share)


def squared_relu(x: Tensor) -> Tensor:
    """``relu(x)^2``; ``x`` may be overwritten."""
    if _has_kernel([x]):
        return _SquaredReLU.apply(x.contiguous())
    return x.relu_().square()


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody wants to see what goes through the module."""
    return any(
        getattr(module, f"_{way}_{name}")
        for way in ("forward", "backward")
        for name in ("pre_hooks", "hooks")
    )


def _needs_gradient(*tensors: Tensor) -> bool:
    """Whether what is computed from these is going to be differentiated."""
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)


def _is_bare_batch_norm(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    return (
        type(norm) is nn.BatchNorm2d
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and not has_hooks(norm)
    )


def _is_bare_norm(norm: nn.Module) -> bool:
    return (
        type(norm) is nn.LayerNorm
        and len(norm.normalized_shape) == 1
        and norm.weight is not None
        and norm.bias is not None
        and not has_hooks(norm)
    )


def is_plain_on_cpu(*tensors: Tensor) -> bool:
    """Whether these are ordinary tensors on a CPU, and nobody traces or compiles."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return all(type(x) in _PLAIN and x.device.type == "cpu" for x in tensors)


def _has_kernel(activations: list[Tensor], *numbers: Tensor) -> bool:
    """Whether the kernels can take these.

    Args:
        activations: Tensors in float32 or bfloat16.
        *numbers: Parameters and states, in float32.
    """
    return (
        is_plain_on_cpu(*activations, *numbers)
        and all(x.dtype in _ACTIVATIONS for x in activations)
        and all(x.dtype == torch.float32 for x in numbers)
        and is_loaded_or_warn("cpu")
    )


def _alike(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors in the wider one's dtype."""
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype), y.to(dtype)


def _rows(x: Tensor, *trailing: int) -> Tensor:
    """``[rows, *trailing]``, its rows in one stretch each: a view if it can be one."""
    x = x.reshape(-1, *trailing)
    return x if x.stride()[1:] == _dense_strides(x.shape[1:]) else x.contiguous()


def _dense_strides(shape: torch.Size) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


class _LeakyCell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        gated: Tensor,
        edges: Tensor,
        scale: Tensor,
        bias: Tensor,
        before: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inputs = [x.contiguous() for x in (gated, edges, scale, bias, before)]
        hidden, memory = torch.ops.lcr.leaky_cell_cpu(*inputs)
        ctx.save_for_backward(memory, *inputs)
        ctx.set_materialize_grads(False)
        return hidden, memory

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dhidden: Tensor | None, dmemory: Tensor | None):  # noqa: ANN205
        if dhidden is None and dmemory is None:
            return (None,) * 5
        grads = [None if x is None else x.contiguous() for x in (dhidden, dmemory)]
        return torch.ops.lcr.leaky_cell_cpu_backward(*grads, *ctx.saved_tensors)


class _GatedHeadNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, heads: Tensor, gate: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        rows = _rows(heads, *heads.shape[-2:]), _rows(gate, gate.shape[-1])
        inputs = *rows, weight.contiguous(), bias.contiguous()
        ctx.save_for_backward(*inputs)
        ctx.eps, ctx.shapes = eps, (heads.shape, gate.shape)
        return torch.ops.lcr.gated_norm_cpu(*inputs, eps).view(gate.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor):  # noqa: ANN205
        dx, dgate, dweight, dbias = torch.ops.lcr.gated_norm_cpu_backward(
            dy.contiguous(), *ctx.saved_tensors, ctx.eps
        )
        heads, gate = ctx.shapes
        return dx.view(heads), dgate.view(gate), dweight, dbias, None


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        cos, sin = cos.squeeze(2).contiguous(), sin.squeeze(2).contiguous()
        ctx.save_for_backward(cos, sin)
        rows = _rows(x, *x.shape[-2:])
        return torch.ops.lcr.rotate_cpu(rows, cos, sin, False).view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor):  # noqa: ANN205
        rows = _rows(dy, *dy.shape[-2:])
        dx = torch.ops.lcr.rotate_cpu(rows, *ctx.saved_tensors, True)
        return dx.view(dy.shape), None, None


class _CausalShift(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, taps: Tensor, before: Tensor, height: int
    ) -> tuple[Tensor, Tensor]:
        tokens, taps = tokens.contiguous(), taps.contiguous()
        ctx.save_for_backward(tokens, taps)
        ctx.height = height
        ctx.set_materialize_grads(False)
        return torch.ops.lcr.causal_shift_cpu(tokens, taps, before.contiguous(), height)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, dkept: Tensor | None):  # noqa: ANN205
        tokens, taps = ctx.saved_tensors
        if dy is None and dkept is None:
            return (None,) * 4
        dy = torch.zeros_like(tokens) if dy is None else dy.contiguous()
        dkept = None if dkept is None else dkept.contiguous()
        dx, dtaps = torch.ops.lcr.causal_shift_cpu_backward(
            dy, dkept, tokens, taps, ctx.height
        )
        return dx, dtaps, dy[:, 0], None


def _channels_last(maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=torch.channels_last)


class _NormedDifference(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        both: Tensor,
        before: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        rectified: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        settings = eps, rectified
        normed, change, mean, variance = torch.ops.lcr.normed_difference_cpu(
            both, before, weight, bias, *settings
        )
        ctx.mark_non_differentiable(mean, variance)
        ctx.save_for_backward(change, weight, bias, mean, variance)
        ctx.settings = *settings, len(before)
        return normed, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor):  # noqa: ANN205
        return *torch.ops.lcr.normed_difference_cpu_backward(
            _channels_last(dy), *ctx.saved_tensors, *ctx.settings
        ), *(None, None)


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        tokens: Tensor,
        branch: Tensor | None,
        share: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        half: bool,
    ) -> tuple[Tensor, Tensor]:
        tokens = tokens.contiguous()
        branch = None if branch is None else branch.contiguous()
        found = torch.ops.lcr.add_norm_cpu(
            tokens, branch, share, weight, bias, eps, half
        )
        total = tokens if branch is None else found[0]
        ctx.save_for_backward(total, share, weight, bias)
        ctx.eps, ctx.has_branch = eps, branch is not None
        ctx.set_materialize_grads(False)
        return total, found[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dtotal: Tensor | None, dnormed: Tensor | None):  # noqa: ANN205
        total, share, weight, bias = ctx.saved_tensors
        if dtotal is None and dnormed is None:
            return (None,) * 7
        dtotal = None if dtotal is None else dtotal.contiguous()
        if dnormed is None:
            dnormed = torch.zeros_like(total)
        dtokens, dweight, dbias, *scaled = torch.ops.lcr.add_norm_cpu_backward(
            dtotal, dnormed.contiguous(), total, share, weight, bias, ctx.eps
        )
        dbranch = scaled[0] if scaled else dtokens
        dbranch = dbranch if ctx.has_branch else None
        return dtokens, dbranch, None, dweight, dbias, None, None


class _AddGated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, gate: Tensor, value: Tensor, share: Tensor | None
    ) -> Tensor:
        gate, value = gate.contiguous(), value.contiguous()
        ctx.save_for_backward(gate, value, share)
        return torch.ops.lcr.add_gated_cpu(tokens.contiguous(), gate, value, share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor):  # noqa: ANN205
        return (
            dy,
            *torch.ops.lcr.add_gated_cpu_backward(dy.contiguous(), *ctx.saved_tensors),
            None,
        )


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        torch.ops.lcr.squared_relu_cpu_(x)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.lcr.squared_relu_cpu_backward(dy.contiguous(), y)
