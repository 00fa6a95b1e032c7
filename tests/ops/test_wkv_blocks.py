"""The CUDA kernels' block code, run on the CPU by an emulator of thread blocks."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
import torch
from wkv_cases import DECAYS, make_inputs, relative_error, run_float64

from lcr_mmaction.ops import build

SOURCE = "csrc/block_emulator.cpp"


@pytest.fixture(scope="module", params=[750, 900], ids=lambda arch: f"sm_{arch // 10}")
def emulator(tmp_path_factory, request):
    """Without and with tensor cores for bfloat16."""
    try:
        compiler = build.compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    library = tmp_path_factory.mktemp("emulator") / "emulator.so"
    source = request.path.parent / SOURCE
    flags = [
        "-std=c++17",
        "-O2",
        "-fPIC",
        "-shared",
        f"-D__CUDA_ARCH__={request.param}",
    ]
    flags += [f"-I{build.SOURCES}", f"-I{source.parent / 'emulated_cuda'}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library)).run_blocks


def run_blocks(emulator, inputs, dy, chunk, rounded):
    """Output and gradients, from two runs: without and with the gradient."""
    r, k, v, w, u = (x.contiguous() for x in inputs)
    (batch, tokens, heads, key), value = r.shape, v.shape[3]
    static = w.dim() == 2
    chunks = -(-tokens // chunk)
    y, dr, dk, dv = (torch.full_like(x, torch.nan) for x in (v, r, k, v))
    du = torch.full((batch, heads, chunks, key), torch.nan)
    dw = torch.full_like(du if static else w, torch.nan)
    pointers = ctypes.c_void_p * 6

    def call(outputs):
        arrays = [x.data_ptr() for x in (r, k, v, w, u, dy)]
        results = [x.data_ptr() if x is not None else None for x in outputs]
        sizes = [ctypes.c_int64(x) for x in (batch, tokens, heads)]
        sizes += [key, value, chunk, int(static), int(rounded)]
        emulator(*sizes, pointers(*arrays), pointers(*results))

    call((y, None, None, None, None, None))
    call((y, dr, dk, dv, dw, du))
    return y, dr, dk, dv, dw.sum(dim=(0, 2)) if static else dw, du.sum(dim=(0, 2))


def random_gradient(value, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    dy = torch.randn(value.shape, generator=generator, dtype=torch.float64)
    return dy.to(dtype).float()


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("per_token", [False, True])
def test_blocks_match_float64(emulator, decay, per_token):
    for tokens, key, value, chunk in ((1, 8, 24, 16), (35, 24, 8, 16), (75, 8, 24, 64)):
        inputs = make_inputs(1, tokens, 2, key, value, decay, per_token)
        expected = run_float64(inputs)
        dy = random_gradient(inputs[2])
        actual = run_blocks(emulator, inputs, dy, chunk, rounded=False)
        for value_, reference in zip(actual, expected, strict=True):
            assert relative_error(value_, reference) < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("per_token", [False, True])
def test_operands_rounded_to_bfloat16_stay_in_bounds(emulator, per_token, dtype):
    for decay in DECAYS:
        inputs = make_inputs(1, 75, 1, 64, 64, decay, per_token, dtype)
        expected = run_float64(inputs)
        dy = random_gradient(inputs[2], dtype)
        actual = run_blocks(emulator, [x.float() for x in inputs], dy, 32, rounded=True)
        errors = [relative_error(*pair) for pair in zip(actual, expected, strict=True)]
        assert errors[0] < 5e-3
        assert max(errors[1:]) < 1e-2
