"""The CUDA kernels on a GPU."""

from __future__ import annotations

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

from lcr_mmaction.ops import bi_wkv
from lcr_mmaction.ops.extension import why_missing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
TOLERANCE = {
    torch.float32: (1e-5, 1e-5),
    torch.bfloat16: (5e-3, 1e-2),
    torch.float16: (5e-3, 1e-2),
}


@pytest.fixture(autouse=True)
def kernel():
    assert why_missing("cuda") is None


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 15, 63, 197, 785])
def test_matches_float64(tokens, per_token, decay, dtype):
    inputs = make_inputs(2, tokens, 2, 64, 64, decay, per_token, dtype)
    actual = run([x.cuda() for x in inputs], "cuda")
    expected = run_float64(inputs)
    errors = [relative_error(x.cpu(), y) for x, y in zip(actual, expected, strict=True)]
    assert errors[0] < TOLERANCE[dtype][0]
    assert max(errors[1:]) < TOLERANCE[dtype][1]


@pytest.mark.parametrize("key_size, value_size", [(8, 128), (20, 36), (128, 128)])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_head_sizes(key_size, value_size, dtype):
    inputs = make_inputs(1, 70, 1, key_size, value_size, "mixed", True, dtype)
    actual = run([x.cuda() for x in inputs], "cuda")
    expected = run_float64(inputs)
    errors = [relative_error(x.cpu(), y) for x, y in zip(actual, expected, strict=True)]
    assert max(errors) < TOLERANCE[dtype][1]


@pytest.mark.parametrize("per_token", [False, True])
def test_a_long_sequence(per_token):
    inputs = [x.cuda() for x in make_inputs(1, 12545, 1, 64, 64, "mild", per_token)]
    expected = run([x.double() for x in inputs], "chunked")
    for x, y in zip(run(inputs, "cuda"), expected, strict=True):
        assert relative_error(x, y) < 1e-5


def test_float16_sums_may_leave_its_range():
    r, k, v, w, u = make_inputs(1, 785, 1, 8, 8, "zero", dtype=torch.float16)
    inputs = [r.abs() / 1000, k.abs() + 10, v.abs() + 10, w, u]
    y = bi_wkv(*(x.cuda() for x in inputs), backend="cuda")
    assert relative_error(y.cpu(), scan_in_float64(inputs)) < 5e-3


def test_any_memory_layout():
    r, k, v, w, u = (x.cuda() for x in make_inputs(3, 37, 2, 16, 16, per_token=True))
    expected = run([r, k, v, w, u], "cuda")
    layouts = [*torch.cat([r, k, v], dim=-1).split(16, dim=-1)]
    layouts += [w.transpose(1, 2).contiguous().transpose(1, 2), u.mT.contiguous().mT]
    layouts[0] = r.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    for pair in zip(run(layouts, "cuda"), expected, strict=True):
        assert torch.equal(*pair)


def test_every_entry_of_the_results_is_written():
    inputs = [x.cuda() for x in make_inputs(2, 37, 2, 20, 12, "mixed", True)]
    torch.use_deterministic_algorithms(True)  # fills fresh memory with NaN
    try:
        assert all(x.isfinite().all() for x in run(inputs, "cuda"))
    finally:
        torch.use_deterministic_algorithms(False)


def test_is_deterministic():
    inputs = [x.cuda() for x in make_inputs(4, 197, 3, 64, 64)]
    for pair in zip(run(inputs, "cuda"), run(inputs, "cuda"), strict=True):
        assert torch.equal(*pair)


def test_runs_on_the_current_stream():
    inputs = [x.cuda() for x in make_inputs(2, 100, 2, 32, 32)]
    expected = bi_wkv(*inputs, backend="cuda")
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)
        late = [x * 1 for x in inputs]
        actual = bi_wkv(*late, backend="cuda")
    stream.synchronize()
    assert torch.equal(actual, expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_runs_on_the_inputs_device():
    inputs = [x.to("cuda:1") for x in make_inputs(2, 100, 2, 32, 32)]
    assert bi_wkv(*inputs, backend="cuda").device == torch.device("cuda:1")


def test_opcheck():
    inputs = [x.cuda().requires_grad_() for x in make_inputs(2, 19, 2, 8, 12)]
    torch.library.opcheck(torch.ops.lcr.bi_wkv, inputs, {"backend": "cuda"})
