"""Inputs and comparisons shared by the operator tests."""

from __future__ import annotations

import torch
from torch import Tensor

from lcr_mmaction.ops import bi_wkv

DECAYS = ("mild", "strong", "zero", "mixed")


def make_inputs(
    batch: int,
    tokens: int,
    heads: int,
    key_size: int,
    value_size: int,
    decay: str = "mild",
    per_token: bool = False,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> list[Tensor]:
    """Random r, k, v, w, u. ``w`` and ``u`` stay float32 unless dtype is float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shape = (batch, tokens, heads, key_size) if per_token else (heads, key_size)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    w = {
        "mild": -uniform.square(),
        "strong": -50 + uniform,
        "zero": torch.zeros(shape, dtype=torch.float64),
        "mixed": torch.where(uniform < 0.3, -50.0, -0.02 * uniform),
    }[decay]
    parameters = torch.float64 if dtype == torch.float64 else torch.float32
    return [
        normal(batch, tokens, heads, key_size).to(dtype),
        normal(batch, tokens, heads, key_size).to(dtype),
        normal(batch, tokens, heads, value_size).to(dtype),
        w.to(parameters),
        normal(heads, key_size).to(parameters),
    ]


def run(inputs: list[Tensor], backend: str | None, seed: int = 1) -> tuple[Tensor, ...]:
    """Output and all five gradients, for a fixed random gradient of the output."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = bi_wkv(*leaves, backend=backend)
    generator = torch.Generator().manual_seed(seed)
    dy = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    return (y.detach(), *torch.autograd.grad(y, leaves, dy.to(y)))


def scan_in_float64(inputs: list[Tensor]) -> Tensor:
    """The recurrence, token by token in float64: an independent, linear reference.

    Unlike the naive reference it carries a state, so it reaches lengths where a
    quadratic loop would not.
    """
    r, k, v, w, u = (x.double() for x in inputs)
    decay = w.expand_as(k).exp()
    outer = k.unsqueeze(-1) * v.unsqueeze(-2)
    y = torch.einsum("bthk,hk,bthkv->bthv", r, u, outer)
    for order in (range(r.shape[1]), range(r.shape[1] - 1, -1, -1)):
        state = torch.zeros_like(outer[:, 0])
        reads = [None] * r.shape[1]
        for t in order:
            reads[t] = torch.einsum("bhk,bhkv->bhv", r[:, t], state)
            state = decay[:, t].unsqueeze(-1) * state + outer[:, t]
        y = y + torch.stack(reads, dim=1)
    return y


def run_float64(inputs: list[Tensor], seed: int = 1) -> tuple[Tensor, ...]:
    """Output and gradients of :func:`scan_in_float64`, by autograd."""
    leaves = [x.detach().double().requires_grad_() for x in inputs]
    y = scan_in_float64(leaves)
    generator = torch.Generator().manual_seed(seed)
    dy = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    dy = dy.to(inputs[2].dtype).double()
    # A single token has no decay: its gradient is zero, not missing.
    grads = torch.autograd.grad(y, leaves, dy, materialize_grads=True)
    return (y.detach(), *grads)


def relative_error(value: Tensor, reference: Tensor) -> float:
    """Norm of the difference over the norm of the reference."""
    difference = (value.double() - reference.double()).norm().item()
    scale = reference.double().norm().item()
    if not scale:
        return difference
    return difference / scale
