"""Linear layers through oneDNN against the layer in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lcr_mmaction.ops import linear as module
from lcr_mmaction.ops.extension import why_missing
from lcr_mmaction.ops.linear import LEAST_ROWS, linear

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch is built without oneDNN"
)
SHAPE = (2, LEAST_ROWS // 2, 12)


def used(layer, x):
    """Whether oneDNN takes these."""
    return module._is_for_onednn(layer, x)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("view", ["dense", "one half of a projection"])
def test_matches_the_layer_in_float64(bias, view):
    torch.manual_seed(0)
    exact = nn.Linear(12, 20, bias=bias, dtype=torch.float64)
    layer = nn.Linear(12, 20, bias=bias)
    layer.load_state_dict(exact.state_dict())
    values = torch.randn(*SHAPE[:-1], 24, dtype=torch.float64)
    values, dy = values.float().double(), torch.randn(*SHAPE[:-1], 20).double()
    results = []
    for one, apply, dtype in (
        (layer, linear, torch.float32),
        (exact, nn.Linear.__call__, torch.float64),
    ):
        joined = values.to(dtype).requires_grad_()
        x = joined[..., 12:] if view != "dense" else joined[..., 12:].contiguous()
        assert used(one, x) == (apply is linear)
        y = apply(one, x) if apply is not linear else linear(one, x)
        leaves = [joined, *one.parameters()]
        results.append([y, *torch.autograd.grad(y, leaves, dy.to(dtype))])
    for value, reference in zip(*results, strict=True):
        assert value.shape == reference.shape
        assert (value.double() - reference).norm() < 1e-6 * reference.norm()


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bfloat16 in oneDNN"
)
@pytest.mark.skipif(why_missing("cpu") is not None, reason="there is no CPU kernel")
@pytest.mark.parametrize("bias", [True, False])
def test_weights_are_rounded_once_under_autocast(bias):
    torch.manual_seed(0)
    layer = nn.Linear(12, 20, bias=bias)
    x = torch.randn(SHAPE, dtype=torch.bfloat16, requires_grad=True)
    dy = torch.randn(*SHAPE[:-1], 20, dtype=torch.bfloat16)
    exact = nn.Linear(12, 20, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    double = x.detach().double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        assert used(layer, x)
        y = linear(layer, x)
    actual = [y, *torch.autograd.grad(y, [x, *layer.parameters()], dy)]
    y = exact(double)
    expected = [y, *torch.autograd.grad(y, [double, *exact.parameters()], dy.double())]
    for i, (value, reference) in enumerate(zip(actual, expected, strict=True)):
        assert value.dtype == (torch.bfloat16 if i < 2 else torch.float32)
        assert (value.double() - reference).norm() < 5e-3 * reference.norm()


def test_what_needs_no_gradient_gets_none():
    layer, x = nn.Linear(12, 20), torch.randn(SHAPE)
    layer.weight.requires_grad_(False)
    assert not linear(layer.requires_grad_(False), x).requires_grad
    layer.bias.requires_grad_(True)
    linear(layer, x).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad is not None


def test_the_result_may_be_overwritten():
    layer, x = nn.Linear(12, 20), torch.randn(SHAPE)
    assert used(layer, x)
    gradients = []
    for apply in (linear, nn.Linear.__call__):
        y = apply(layer, x).relu_()
        gradients.append(torch.autograd.grad(y.square().sum(), layer.weight)[0])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


def test_whatever_is_no_plain_layer_is_called():
    x = torch.randn(SHAPE)
    assert used(nn.Linear(12, 20), x)
    assert not used(nn.Linear(12, 20), x[:, :-1])
    assert not used(nn.Linear(12, 20).double(), x.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert not used(nn.Linear(12, 20), x)
        assert linear(nn.Linear(12, 20), x).dtype == torch.bfloat16
    quantized = torch.ao.quantization.quantize_dynamic(
        nn.Sequential(nn.Linear(12, 20)), {nn.Linear}
    )[0]
    assert torch.equal(linear(quantized, x), quantized(x))
    hooked, seen = nn.Linear(12, 20), []
    hooked.register_forward_hook(lambda *given: seen.append(given))
    linear(hooked, x)
    assert len(seen) == 1


def test_its_work_is_counted():
    layer, x = nn.Linear(12, 20), torch.randn(SHAPE, requires_grad=True)
    forward = 2 * LEAST_ROWS * 12 * 20
    with FlopCounterMode(display=False) as counter:
        y = linear(layer, x)
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    assert counter.get_total_flops() == 2 * forward
