"""``bi_wkv`` and its five gradients against float64, on every backend there is."""

from __future__ import annotations

import itertools

import pytest
import torch
from wkv_cases import (
    DECAYS,
    make_inputs,
    relative_error,
    run,
    run_float64,
    scan_in_float64,
)

from lcr_mmaction.ops import bi_wkv, bi_wkv_naive
from lcr_mmaction.ops.extension import why_missing


@pytest.fixture(params=["chunked", "cpu"])
def backend(request):
    if request.param == "cpu" and (reason := why_missing("cpu")):
        pytest.skip(f"no CPU kernel: {reason}")
    return request.param


def worst_error(inputs, backend):
    actual, expected = run(inputs, backend), run_float64(inputs)
    return max(relative_error(*pair) for pair in zip(actual, expected, strict=True))


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
def test_naive_reads_like_the_recurrence(decay, per_token):
    inputs = make_inputs(2, 9, 2, 3, 5, decay, per_token, torch.float64)
    assert worst_error(inputs, "naive") < 1e-13


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("tokens", [1, 2, 15, 63, 197])
def test_float32(backend, tokens, decay, per_token):
    inputs = make_inputs(2, tokens, 2, 32, 16, decay, per_token)
    assert worst_error(inputs, backend) < 1e-5


@pytest.mark.parametrize("decay", DECAYS)
def test_float32_of_785_tokens(backend, decay):
    assert worst_error(make_inputs(1, 785, 1, 16, 16, decay, True), backend) < 1e-5
    assert worst_error(make_inputs(1, 785, 1, 16, 16, decay, False), backend) < 1e-5


@pytest.mark.parametrize(
    ("key_size", "value_size"),
    [(8, 8), (8, 128), (20, 36), (64, 64), (128, 8), (96, 48), (128, 128)],
)
def test_head_sizes(backend, key_size, value_size):
    for per_token in (False, True):
        inputs = make_inputs(1, 70, 1, key_size, value_size, "mixed", per_token)
        assert worst_error(inputs, backend) < 1e-5


@pytest.mark.parametrize("tokens, per_token", [(15, False), (63, True), (197, True)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("decay", DECAYS)
def test_half_precision(backend, dtype, decay, tokens, per_token):
    inputs = make_inputs(2, tokens, 1, 32, 32, decay, per_token, dtype)
    actual, expected = run(inputs, backend), run_float64(inputs)
    errors = [relative_error(*pair) for pair in zip(actual, expected, strict=True)]
    assert errors[0] < 5e-3
    assert max(errors[1:]) < 1e-2
    assert [x.dtype for x in actual] == [dtype] * 4 + [torch.float32] * 2


def test_float16_sums_may_leave_its_range(backend):
    r, k, v, w, u = make_inputs(1, 785, 1, 8, 8, "zero", dtype=torch.float16)
    inputs = [r.abs() / 1000, k.abs() + 10, v.abs() + 10, w, u]
    assert (inputs[1].double() * inputs[2].double()).sum() > torch.finfo(r.dtype).max
    y = bi_wkv(*inputs, backend=backend)
    assert relative_error(y, scan_in_float64(inputs)) < 5e-3


def test_every_pair_of_backends_agrees():
    names = ["naive", "chunked"] + ["cpu"] * (why_missing("cpu") is None)
    for per_token in (False, True):
        inputs = make_inputs(2, 21, 2, 8, 12, "mixed", per_token)
        results = {name: run(inputs, name) for name in names}
        for first, second in itertools.combinations(names, 2):
            for x, y in zip(results[first], results[second], strict=True):
                torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5)


def test_float64(backend):
    inputs = make_inputs(2, 150, 2, 8, 12, "mixed", True, torch.float64)
    assert worst_error(inputs, backend) < 1e-13


def test_a_weak_decay_does_not_drift(backend):
    """A rounding error of exp(w) would add up over thousands of tokens."""
    inputs = make_inputs(1, 4000, 1, 8, 8, dtype=torch.float64)
    inputs[3] = -torch.logspace(-5, -3, 8, dtype=torch.float64)[None]
    exact = bi_wkv(*inputs, backend="chunked")
    single = bi_wkv(*(x.float() for x in inputs), backend=backend)
    assert relative_error(single, exact) < 1e-5


def test_any_memory_layout(backend):
    inputs = make_inputs(3, 21, 2, 16, 16, per_token=True)
    expected = run(inputs, backend)
    r, k, v, w, u = inputs
    joined = torch.cat([r, k, v], dim=-1)  # slices of one projection
    layouts = [*joined.split(16, dim=-1), w.transpose(1, 2).contiguous(), u.mT.clone()]
    layouts[3], layouts[4] = layouts[3].transpose(1, 2), layouts[4].mT
    layouts[0] = r.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    assert all(torch.equal(*pair) for pair in zip(layouts, inputs, strict=True))
    for actual, value in zip(run(layouts, backend), expected, strict=True):
        torch.testing.assert_close(actual, value, rtol=1e-5, atol=1e-5)


def test_expanded_gradient(backend):
    inputs = [x.requires_grad_() for x in make_inputs(2, 9, 2, 8, 8)]
    y = bi_wkv(*inputs, backend=backend)
    expanded = torch.autograd.grad(y.sum(), inputs, retain_graph=True)
    plain = torch.autograd.grad(y, inputs, torch.ones_like(y))
    for pair in zip(expanded, plain, strict=True):
        assert torch.equal(*pair)


def test_each_batch_entry_stands_alone(backend):
    inputs = make_inputs(64, 11, 2, 8, 8)
    together = bi_wkv(*inputs, backend=backend)
    alone = bi_wkv(*(x[37:38] for x in inputs[:3]), *inputs[3:], backend=backend)
    torch.testing.assert_close(together[37:38], alone)


@pytest.mark.parametrize("tokens", [15, 75])
def test_reversed_order_gives_reversed_output(backend, tokens):
    r, k, v, w, u = make_inputs(2, tokens, 2, 8, 12, "mixed", True)
    forward = bi_wkv(r, k, v, w, u, backend=backend)
    backward = bi_wkv(r.flip(1), k.flip(1), v.flip(1), w.flip(1), u, backend=backend)
    torch.testing.assert_close(backward.flip(1), forward, rtol=1e-5, atol=1e-5)


def test_static_decay_equals_the_same_per_token(backend):
    inputs = make_inputs(2, 75, 2, 8, 12)
    per_token = [*inputs]
    per_token[3] = inputs[3].expand_as(inputs[1])
    actual, expected = run(per_token, backend), run(inputs, backend)
    torch.testing.assert_close(actual[0], expected[0], rtol=1e-5, atol=1e-5)
    assert relative_error(actual[4].sum(dim=(0, 1)), expected[4]) < 1e-5


def test_every_entry_of_the_results_is_written(backend):
    inputs = make_inputs(2, 37, 2, 20, 12, "mixed", True)
    torch.use_deterministic_algorithms(True)  # fills fresh memory with NaN
    try:
        assert torch.empty(3).isnan().all()
        assert all(x.isfinite().all() for x in run(inputs, backend))
    finally:
        torch.use_deterministic_algorithms(False)


def test_denormals_work_after_a_call(backend):
    bi_wkv(*make_inputs(1, 40, 1, 8, 8, "strong"), backend=backend)
    assert torch.tensor([1e-39]).mul(0.5).item() > 0


def test_naive_function_is_the_naive_backend():
    inputs = make_inputs(1, 6, 1, 4, 4, dtype=torch.float64)
    assert torch.equal(bi_wkv_naive(*inputs), bi_wkv(*inputs, backend="naive"))


def test_empty_batch(backend):
    outputs = run(make_inputs(0, 5, 2, 8, 8), backend)
    assert outputs[0].shape == (0, 5, 2, 8)
    assert outputs[4].eq(0).all()
