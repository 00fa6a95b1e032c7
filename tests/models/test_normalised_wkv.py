"""The normalised WKV against its definition, in float64, with all gradients."""

from __future__ import annotations

import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from vision_rwkv_reference import normalised_wkv

from lcr_mmaction.models.vision_rwkv import normalised_wkv as normalised_wkv_module
from lcr_mmaction.models.vision_rwkv.normalised_wkv import (
    normalised_bi_wkv,
    normalised_bi_wkv_multiply_adds,
    traceable_normalised_bi_wkv,
)

# Towards the neighbours, towards the far end, and both.
DECAYS = {"falling": (0.0, 8.0), "growing": (-8.0, 0.0), "steep": (-40.0, 40.0)}


def make_inputs(tokens: int, low: float, high: float, key: float = 2.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(tokens)
    channels = 6
    k, v = (
        torch.randn(2, tokens, channels, dtype=torch.float64, generator=generator)
        for _ in range(2)
    )
    w = torch.linspace(low, high, channels, dtype=torch.float64)
    u = torch.randn(channels, dtype=torch.float64, generator=generator)
    return [key * k, v, w, u]


def with_gradients(function, inputs: list[Tensor]) -> list[Tensor]:
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    result = function(*inputs)
    weight = torch.randn(
        result.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    gradients = torch.autograd.grad((result * weight.to(result)).sum(), inputs)
    return [result.detach(), *gradients]


def error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs).norm() / theirs.norm().clamp(min=1e-12))


@pytest.mark.parametrize("tokens", [2, 3, 17, 196])
@pytest.mark.parametrize("decay", DECAYS)
def test_result_and_every_gradient_are_the_definitions(decay, tokens):
    inputs = make_inputs(tokens, *DECAYS[decay])
    theirs = with_gradients(normalised_wkv, inputs)
    for dtype, limit in ((torch.float64, 1e-11), (torch.float32, 2e-5)):
        ours = with_gradients(normalised_bi_wkv, [x.to(dtype) for x in inputs])
        for name, mine, other in zip("ykvwu", ours, theirs, strict=True):
            assert mine.dtype == dtype
            assert error(mine, other) < limit, f"{name} in {dtype}"


@pytest.mark.parametrize("decay", DECAYS)
def test_keys_of_any_size_give_finite_and_right_results(decay):
    inputs = make_inputs(50, *DECAYS[decay], key=200.0)
    theirs = with_gradients(normalised_wkv, inputs)
    ours = with_gradients(normalised_bi_wkv, [x.float() for x in inputs])
    # Rounding of keys of some hundreds is what is left.
    assert error(ours[0], theirs[0]) < 1e-4
    assert all(x.isfinite().all() for x in ours)


def test_a_batch_in_parts_gives_what_it_gives_at_once(monkeypatch):
    inputs = make_inputs(9, -5, 3)
    whole = with_gradients(normalised_bi_wkv, inputs)
    monkeypatch.setattr(normalised_wkv_module, "CPU_ELEMENTS_AT_ONCE", 1)
    for part, one in zip(with_gradients(normalised_bi_wkv, inputs), whole, strict=True):
        torch.testing.assert_close(part, one)


def test_a_single_token_is_its_value():
    k, v, w, u = make_inputs(1, -3, 3)
    torch.testing.assert_close(normalised_bi_wkv(k, v, w, u), v)


def test_half_precision_is_computed_in_float32():
    inputs = make_inputs(30, -5, 3)
    k, v = (x.bfloat16() for x in inputs[:2])
    w, u = (x.float() for x in inputs[2:])
    result = normalised_bi_wkv(k, v, w, u)
    assert result.dtype == torch.bfloat16
    exact = normalised_wkv(k.double(), v.double(), w.double(), u.double())
    torch.testing.assert_close(result, exact.bfloat16(), rtol=1e-2, atol=1e-3)


def test_the_operator_keeps_pytorchs_rules():
    inputs = [x.float().requires_grad_() for x in make_inputs(5, -5, 3)]
    torch.library.opcheck(torch.ops.lcr.normalised_bi_wkv.default, inputs)
    torch.testing.assert_close(
        normalised_bi_wkv(*inputs), traceable_normalised_bi_wkv(*inputs)
    )


def test_shapes_that_do_not_fit_are_refused():
    k, v, w, u = make_inputs(5, -5, 3)
    with pytest.raises(ValueError, match=r"\(2, 5, 6\) and \(2, 4, 6\)"):
        normalised_bi_wkv(k, v[:, :4], w, u)
    with pytest.raises(ValueError, match=r"w and u must be \(6,\)"):
        normalised_bi_wkv(k, v, w[:3], u)
    with pytest.raises(ValueError, match="T >= 1"):
        normalised_bi_wkv(k[:, :0], v[:, :0], w, u)


def test_everything_that_counts_counts_it():
    k, v, w, u = (x.float() for x in make_inputs(7, -5, 3))
    expected = normalised_bi_wkv_multiply_adds(v.shape)
    assert expected == 12 * 2 * 7 * 6
    with FlopCounterMode(display=False) as counter:
        normalised_bi_wkv(k, v, w, u)
    assert counter.get_total_flops() == 2 * expected

    class Mix(nn.Module):
        def forward(self, k: Tensor) -> Tensor:
            return normalised_bi_wkv(k, v, w, u)

    counted = get_model_complexity_info(Mix(), inputs=(k,), show_table=False)
    assert counted["flops"] == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same():
    inputs = make_inputs(196, *DECAYS["steep"])
    theirs = with_gradients(normalised_wkv, inputs)
    ours = with_gradients(normalised_bi_wkv, [x.float().cuda() for x in inputs])
    for mine, other in zip(ours, theirs, strict=True):
        assert error(mine.cpu(), other) < 5e-5
