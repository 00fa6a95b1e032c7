"""Time and memory of ``bi_wkv`` beside a token loop, attention and other kernels.

    python benchmarks/bi_wkv.py --threads 2                             # CPU
    python benchmarks/bi_wkv.py --device cuda --vision-rwkv wkv6.so     # GPU

One command measures all that is there and prints Markdown; who is missing is named,
with the reason. On a GPU, flash-linear-attention takes part where it is installed, and
Vision-RWKV where its compiled ``wkv6`` extension is named (importing its model compiles
it into torch's cache of extensions).

All contestants take turns within one run, and the tables give ratios, so that other
work on the machine touches all of them alike. Times are wall-clock on a CPU, between
events on a GPU: the median and, in brackets, the fastest and the slowest. Memory is
what a call adds to its inputs, on the CPU in a process of its own, of one thread. The
ceiling is what the counted work would take at the matrix rate, or the inputs and
results at the bandwidth, whichever is longer; both are measured in the same run, by a
bare product and a bare copy.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import math
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from shared.measuring import Times
from shared.wkv_contestants import Contestant, contestants
from torch import Tensor

from lcr_mmaction.ops import bi_wkv_multiply_adds

LENGTHS = {49: 16, 197: 16, 785: 4, 3137: 1, 12545: 1}  # tokens: batch
SCALED = ((16, 197), (1, 197), (1, 785), (1, 3137))  # batch, tokens
HEADER = "| T | B | | forward ms | ratio | forward + backward ms | ratio | MiB |"
CALLS_ON_GPU = 10  # queued together: the GPU must not wait for Python


def call(entry: Contestant, inputs: list[Tensor], backward: bool) -> None:
    """One forward pass, or one forward and backward."""
    if not backward:
        with torch.no_grad():
            entry.function(*inputs)
        return
    y = entry.function(*inputs)
    torch.autograd.grad(y, inputs, torch.ones_like(y), allow_unused=True)


def seconds(function: Callable[[], None], device: str) -> float:
    """Time of one call."""
    if device == "cuda":
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(CALLS_ON_GPU):
            function()
        stop.record()
        torch.cuda.synchronize()
        return start.elapsed_time(stop) / 1e3 / CALLS_ON_GPU
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def in_turns(
    functions: dict[object, Callable[[], None]], device: str, repeats: int
) -> dict[object, Times]:
    """Times of every function, one call of each after the other.

    Each is called once more before it is timed: what another left of the C library's
    memory and of the caches must not count.
    """
    times: dict[object, list[float]] = {key: [] for key in functions}
    for _ in range(repeats):
        for key, function in functions.items():
            function()
            times[key].append(seconds(function, device))
    return {key: Times(tuple(own), warm=True) for key, own in times.items()}


def spread(times: Sequence[float]) -> str:
    """Median, fastest and slowest, in ms."""
    each = (statistics.median(times), min(times), max(times))
    return "{:.3g} ({:.3g}-{:.3g})".format(*(1e3 * x for x in each))


def peak_bytes(entry: Contestant, inputs: list[Tensor]) -> int:
    """What forward and backward add to the memory in use, at their peak."""
    if inputs[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call(entry, inputs, True)
        return torch.cuda.max_memory_allocated() - before
    # Freed memory that the C library keeps would hide what a call needs.
    ctypes.CDLL(None).malloc_trim(0)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        torch.set_num_threads(1)  # the others were not forked
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call(entry, inputs, True)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(writing, str((after - before) * 1024).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reading, 100))


def device_rates(device: str, repeats: int) -> tuple[float, float]:
    """Measured FLOP/s of a bare matrix product and bytes/s of a bare copy."""
    size, dtype = (8192, torch.bfloat16) if device == "cuda" else (768, torch.float32)
    a = torch.randn(size, size).to(device, dtype)
    data = torch.ones(2**28 if device == "cuda" else 2**25, device=device)
    copy = torch.empty_like(data)
    functions = {"product": lambda: a @ a, "copy": lambda: copy.copy_(data)}
    times = in_turns(functions, device, repeats)
    product, copied = (min(times[key].each) for key in ("product", "copy"))
    return 2 * size**3 / product, 2 * data.numel() * data.element_size() / copied


def ceiling(inputs: list[Tensor], backward: bool, rates: tuple[float, float]) -> float:
    """Seconds below which no WKV of these inputs can come on this device."""
    r, k, v = inputs[:3]
    flops = 2 * bi_wkv_multiply_adds(k.shape, v.shape) * (4 if backward else 1)
    # Forward: r, k, v in and y out; backward: those and dr, dk, dv.
    tensors = [r, k, v, v] + ([r, k, v, v, r, k, v] if backward else [])
    moved = sum(x.numel() * x.element_size() for x in tensors)
    return max(flops / rates[0], moved / rates[1])


def compare(
    entries: dict[str, Contestant],
    tokens: int,
    device: str,
    repeats: int,
    rates: tuple[float, float],
) -> str:
    """Print one length's rows of the table; return its line about the ceiling."""
    batch = LENGTHS[tokens]
    inputs = {
        name: entry.inputs(batch, tokens, device)
        for name, entry in entries.items()
        if tokens <= (entry.longest or tokens)
    }
    memory = {name: peak_bytes(entries[name], x) for name, x in inputs.items()}
    functions = {
        (name, backward): lambda n=name, x=x, b=backward: call(entries[n], x, b)
        for name, x in inputs.items()
        for backward in (False, True)
    }
    times = in_turns(functions, device, repeats)
    for name in inputs:
        cells = []
        for backward in (False, True):
            own, ours = times[name, backward], times["bi_wkv", backward]
            cells += [spread(own.each), f"{own.over(ours):.2f}"]
        cells.append(f"{memory[name] / 2**20:.0f}")
        print(f"| {tokens} | {batch} | {name} | {' | '.join(cells)} |", flush=True)
    cells = []
    for backward in (False, True):
        best = ceiling(inputs["bi_wkv"], backward, rates)
        taken = times["bi_wkv", backward].median
        cells += [f"{best * 1e3:.3g}", f"{100 * best / taken:.0f}"]
    return f"| {tokens} | {batch} | {' | '.join(cells)} |"


def growth(entry: Contestant, device: str, repeats: int) -> float:
    """Exponent of time in the number of tokens, forward and backward at batch 1."""
    cases = {tokens: entry.inputs(1, tokens, device) for tokens in (197, 12545)}
    functions = {
        tokens: lambda x=x: call(entry, x, True) for tokens, x in cases.items()
    }
    times = in_turns(functions, device, repeats)
    longer = times[12545].median / times[197].median
    return math.log(longer) / math.log(12545 / 197)


def thread_scaling(entries: dict[str, Contestant], most: int, repeats: int) -> None:
    """Print wall times by number of threads, up to ``most``."""
    counts = [2**i for i in range(most.bit_length()) if 2**i <= most]
    print(
        "\n| B | T | | | threads | ms | times one thread's speed |\n|---|---|---|",
        end="",
    )
    print("---|---|---|---|")
    for batch, tokens in SCALED:
        for name in ("bi_wkv", "softmax attention"):
            inputs = entries[name].inputs(batch, tokens, "cpu")
            for backward in (False, True):
                function = functools.partial(call, entries[name], inputs, backward)
                times: dict[int, list[float]] = {count: [] for count in counts}
                for _ in range(repeats):
                    for count in counts:
                        torch.set_num_threads(count)
                        function()
                        own = seconds(function, "cpu")
                        times[count].append(own)
                one = statistics.median(times[1])
                for count, each in times.items():
                    what = "forward + backward" if backward else "forward"
                    faster = f"{one / statistics.median(each):.2f}"
                    cells = [batch, tokens, name, what, count, spread(each), faster]
                    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    """Run everything and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--scaling", action="store_true", help="by threads, no more")
    parser.add_argument("--vision-rwkv", type=Path, help="its compiled wkv6 extension")
    arguments = parser.parse_args()
    device, repeats = arguments.device, arguments.repeats
    torch.set_num_threads(arguments.threads)
    try:
        entries, missing = contestants(device, arguments.vision_rwkv)
    except RuntimeError as error:
        parser.error(str(error))
    if arguments.scaling:
        thread_scaling(entries, arguments.threads, repeats)
        return
    rates = device_rates(device, repeats)
    name = (
        torch.cuda.get_device_name()
        if device == "cuda"
        else f"{arguments.threads} threads"
    )
    print(f"{name}: {rates[0] / 1e9:.0f} GFLOP/s in a matrix product,")
    print(f"{rates[1] / 1e9:.1f} GB/s in a copy. Torch {torch.__version__}.\n")
    print(f"{HEADER}\n{'|---' * 8}|")
    ceilings = [compare(entries, n, device, repeats, rates) for n in LENGTHS]
    print("\n| T | B | ceiling forward ms | % reached |", end="")
    print(f" ceiling forward + backward ms | % reached |\n{'|---' * 6}|")
    print("\n".join(ceilings))
    print(f"\nTime grows as T^{growth(entries['bi_wkv'], device, repeats):.2f}", end="")
    print(" from 197 to 12545 tokens (batch 1, forward and backward).")
    for name, reason in missing.items():
        print(f"\nNot measured: {name.rstrip('.')}: {reason}.")


if __name__ == "__main__":
    main()
