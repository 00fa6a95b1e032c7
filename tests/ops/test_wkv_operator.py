"""``bi_wkv`` as a PyTorch operator: tracing, compiling, autocast, counting."""

from __future__ import annotations

import pytest
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode
from wkv_cases import make_inputs, relative_error, run

from lcr_mmaction.ops import bi_wkv, bi_wkv_multiply_adds


class Layer(torch.nn.Module):
    """The operator with its own decay and bonus."""

    def __init__(self, heads: int = 2, size: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.decay = torch.nn.Parameter(torch.randn(heads, size))
        self.bonus = torch.nn.Parameter(torch.randn(heads, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        r, k, v = x.unflatten(-1, (self.heads, -1)).chunk(3, dim=-1)
        return bi_wkv(r, k, v, -self.decay.exp(), self.bonus).flatten(2)


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_opcheck(per_token, dtype):
    inputs = make_inputs(2, 19, 2, 8, 12, per_token=per_token, dtype=dtype)
    leaves = [x.requires_grad_() for x in inputs]
    torch.library.opcheck(torch.ops.lcr.bi_wkv, leaves, {"backend": "chunked"})
    dy = torch.randn(2, 19, 2, 12).to(dtype)
    plain = [x.detach() for x in inputs]
    torch.library.opcheck(torch.ops.lcr.bi_wkv_backward, (dy, *plain))


@pytest.mark.parametrize("per_token", [False, True])
def test_gradcheck(per_token):
    inputs = make_inputs(1, 19, 2, 3, 4, per_token=per_token, dtype=torch.float64)
    inputs[3] -= 0.1  # finite differences must not make a decay positive
    leaves = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(bi_wkv, leaves)


def test_compiles_without_graph_breaks():
    layer, x = Layer(), torch.randn(2, 10, 48, requires_grad=True)
    expected = layer(x)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), x)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    actual = compiled(x)
    (gradient,) = torch.autograd.grad(actual.sum(), x)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_exports_with_dynamic_length():
    layer, x = Layer(), torch.randn(2, 10, 48)
    tokens = torch.export.Dim("tokens", min=2, max=4096)
    program = torch.export.export(layer, (x,), dynamic_shapes=({1: tokens},))
    assert any("lcr.bi_wkv" in str(node.target) for node in program.graph.nodes)
    longer = torch.randn(2, 33, 48)
    torch.testing.assert_close(program.module()(longer), layer(longer))


def test_activation_checkpointing_changes_nothing():
    layer, x = Layer(), torch.randn(2, 21, 48, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    y = checkpoint(layer, x, use_reentrant=False)
    (actual,) = torch.autograd.grad(y.square().sum(), x)
    assert torch.equal(actual, expected)


def test_is_deterministic():
    inputs = make_inputs(3, 50, 2, 16, 16)
    for first, second in zip(run(inputs, None), run(inputs, None), strict=True):
        assert torch.equal(first, second)


def test_autocast_casts_tokens_and_keeps_parameters():
    inputs = [x.requires_grad_() for x in make_inputs(2, 33, 2, 16, 16)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = bi_wkv(*inputs)
    assert y.dtype == torch.bfloat16
    grads = torch.autograd.grad(y.float().sum(), inputs)
    assert [g.dtype for g in grads] == [torch.float32] * 5
    halves = [x.bfloat16() for x in inputs[:3]]
    assert torch.equal(y, bi_wkv(*halves, *inputs[3:]))


def test_autocast_takes_mixed_dtypes():
    r, k, v, w, u = make_inputs(1, 5, 1, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert bi_wkv(r.bfloat16(), k, v, w, u).dtype == torch.bfloat16


def test_flop_counter_mode_counts_both_passes():
    inputs = [x.requires_grad_() for x in make_inputs(2, 7, 3, 8, 16)]
    multiply_adds = 2 * 7 * 3 * (4 * 8 * 16 + 2 * 8 + 16)
    assert bi_wkv_multiply_adds(inputs[1].shape, inputs[2].shape) == multiply_adds
    with FlopCounterMode(display=False) as counter:
        y = bi_wkv(*inputs)
    assert counter.get_total_flops() == 2 * multiply_adds
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    assert counter.get_total_flops() == 6 * multiply_adds


def test_mmengine_counts_it():
    from mmengine.analysis import get_model_complexity_info

    x = torch.randn(2, 10, 48)
    result = get_model_complexity_info(Layer(), inputs=(x,), show_table=False)
    per_call = bi_wkv_multiply_adds((2, 10, 2, 8), (2, 10, 2, 8))
    assert result["flops"] == per_call


def test_fvcore_counts_it():
    fvcore = pytest.importorskip("fvcore.nn", reason="fvcore is not installed")
    counter = fvcore.FlopCountAnalysis(Layer(), torch.randn(2, 10, 48))
    per_call = bi_wkv_multiply_adds((2, 10, 2, 8), (2, 10, 2, 8))
    assert counter.by_operator()["bi_wkv"] == per_call


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": torch.zeros(2, 5, 16)}, r"r must be \(B, T, H, K\)"),
        ({"k": torch.zeros(2, 5, 2, 4)}, r"k has shape \(2, 5, 2, 4\), expected"),
        ({"v": torch.zeros(2, 6, 2, 8)}, "v has shape"),
        ({"w": torch.zeros(8)}, "w has shape"),
        ({"u": torch.zeros(2, 7)}, "u has shape"),
        ({"k": torch.zeros(2, 5, 2, 8).double()}, "cast them to one"),
        ({"w": torch.zeros(2, 8, dtype=torch.long)}, "w has dtype torch.int64"),
        ({"u": torch.zeros(2, 8, device="meta")}, "u is on meta"),
        ({"backend": "triton"}, "unknown backend 'triton'"),
    ],
)
def test_bad_arguments_are_named(change, message):
    names = ("r", "k", "v", "w", "u")
    arguments = dict(zip(names, make_inputs(2, 5, 2, 8, 8), strict=True))
    with pytest.raises(ValueError, match=message):
        bi_wkv(**(arguments | change))


def test_no_tokens_is_refused():
    with pytest.raises(ValueError, match="no tokens"):
        bi_wkv(*make_inputs(2, 0, 2, 8, 8))


def test_unknown_backend_in_the_environment(monkeypatch):
    monkeypatch.setenv("LCR_WKV_BACKEND", "fast")
    with pytest.raises(ValueError, match="LCR_WKV_BACKEND='fast'"):
        bi_wkv(*make_inputs(1, 2, 1, 8, 8))


def test_backend_in_the_environment_is_used(monkeypatch):
    inputs = make_inputs(1, 9, 1, 8, 8)
    monkeypatch.setenv("LCR_WKV_BACKEND", "naive")
    assert torch.equal(bi_wkv(*inputs), bi_wkv(*inputs, backend="naive"))
    assert relative_error(bi_wkv(*inputs), bi_wkv(*inputs, backend="chunked")) < 1e-5
