"""The CUDA kernels' block code, run on the CPU by an emulator of thread blocks."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
import torch
from wkv_cases import DECAYS, make_inputs, relative_error, run_float64

from lcr_mmaction.ops import build

EMULATOR = "csrc/block_emulator.cpp"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory, request):
    try:
        compiler = build.compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    library = tmp_path_factory.mktemp("emulator") / "emulator.so"
    source = request.path.parent / EMULATOR
    flags = ["-std=c++17", "-O2", "-fPIC", "-shared", f"-I{build.SOURCES}"]
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


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("per_token", [False, True])
def test_blocks_match_float64(emulator, decay, per_token):
    for tokens, key, value, chunk in ((1, 8, 24, 16), (75, 24, 8, 16), (75, 8, 24, 64)):
        inputs = make_inputs(1, tokens, 2, key, value, decay, per_token)
        expected = run_float64(inputs)
        generator = torch.Generator().manual_seed(1)
        dy = torch.randn(inputs[2].shape, generator=generator, dtype=torch.float64)
        actual = run_blocks(emulator, inputs, dy.float(), chunk, rounded=False)
        for value_, reference in zip(actual, expected, strict=True):
            assert relative_error(value_, reference) < 1e-5


@pytest.mark.parametrize("per_token", [False, True])
def test_operands_rounded_to_bfloat16_stay_in_bounds(emulator, per_token):
    for decay in DECAYS:
        inputs = make_inputs(1, 75, 2, 64, 64, decay, per_token, torch.bfloat16)
        expected = run_float64(inputs)
        generator = torch.Generator().manual_seed(1)
        dy = torch.randn(inputs[2].shape, generator=generator, dtype=torch.float64)
        dy = dy.bfloat16().float()
        actual = run_blocks(emulator, [x.float() for x in inputs], dy, 32, rounded=True)
        errors = [relative_error(*pair) for pair in zip(actual, expected, strict=True)]
        assert errors[0] < 5e-3
        assert max(errors[1:]) < 1e-2
