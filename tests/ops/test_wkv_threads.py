"""The CPU kernel on PyTorch's threads: on all that it is given, to the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.data import DataLoader
from wkv_cases import make_inputs, run

from lcr_mmaction.ops import bi_wkv
from lcr_mmaction.ops.extension import why_missing

pytestmark = pytest.mark.skipif(
    why_missing("cpu") is not None, reason="there is no CPU kernel"
)
# Batch entries, tokens, heads. Sequences that go round the threads evenly or not, long
# enough to be cut into chunks or not, and more or fewer than threads.
SHAPES = [(1, 785, 3), (1, 20, 3), (1, 150, 1), (2, 197, 2), (3, 75, 2)]


@pytest.fixture
def threads():
    """Sets the number of threads, for the test alone."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def threads_of_last_call() -> int:
    return torch.ops.lcr.cpu_threads_of_last_call()


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_number_of_threads_changes_no_bit(shape, per_token, threads):
    inputs = make_inputs(*shape, 24, 20, "mixed", per_token)
    threads(1)
    expected = run(inputs, "cpu")
    for count in (2, 3, 4):
        threads(count)
        for actual, value in zip(run(inputs, "cpu"), expected, strict=True):
            assert torch.equal(actual, value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_nor_in_another_dtype(dtype, threads):
    inputs = make_inputs(1, 197, 1, 16, 8, dtype=dtype)
    results = []
    for count in (1, 3):
        threads(count)
        results.append(run(inputs, "cpu"))
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_thread_takes_part(count, threads):
    """A stream (batch 1) has fewer heads than a machine has processors."""
    threads(count)
    r, k, v, w, u = make_inputs(1, 197, 1, 16, 16)
    leaf = r.requires_grad_()
    y = bi_wkv(leaf, k, v, w, u, backend="cpu")
    assert threads_of_last_call() == count
    y.sum().backward()
    assert threads_of_last_call() == count


def test_no_more_threads_than_tasks(threads):
    threads(4)
    bi_wkv(*make_inputs(1, 20, 2, 8, 8), backend="cpu")  # each is one chunk
    assert threads_of_last_call() == 2


def test_calls_from_several_threads_at_once(threads):
    threads(2)
    cases = [make_inputs(1, 197, 3, 16, 16, seed=seed) for seed in range(8)]
    expected = [bi_wkv(*inputs, backend="cpu") for inputs in cases]
    with ThreadPoolExecutor(2) as pool:
        actual = list(pool.map(lambda inputs: bi_wkv(*inputs, backend="cpu"), cases))
    assert all(torch.equal(*pair) for pair in zip(actual, expected, strict=True))


class Outputs(torch.utils.data.Dataset):
    """Calls the operator where it is read: in a forked worker."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return 2

    def __getitem__(self, index):
        y = bi_wkv(*self.inputs, backend="cpu")
        return y, threads_of_last_call()


def test_a_forked_data_worker_keeps_to_its_one_thread(threads):
    threads(2)
    inputs = make_inputs(1, 197, 3, 16, 16)
    expected = bi_wkv(*inputs, backend="cpu")  # the parent's threads are up
    loader = DataLoader(
        Outputs(inputs), batch_size=None, num_workers=1, multiprocessing_context="fork"
    )
    for y, came in loader:
        assert torch.equal(y, expected)
        assert came == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_brings_no_second_openmp_into_the_process():
    code = """
        import re, torch
        from lcr_mmaction.ops.extension import why_missing

        def runtimes():
            maps = open("/proc/self/maps").read()
            return set(re.findall(r"\\S*lib(?:g|i)?omp\\S*", maps))

        torch.ones(1000, 1000) @ torch.ones(1000, 1000)
        before = runtimes()
        assert why_missing("cpu") is None
        assert torch.ops.lcr.cpu_instruction_set()
        assert runtimes() == before, runtimes() - before
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
