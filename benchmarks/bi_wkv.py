"""Time and memory of ``bi_wkv`` beside a token loop and softmax attention.

    OMP_NUM_THREADS=1 python benchmarks/bi_wkv.py   # one CPU thread
    python benchmarks/bi_wkv.py --device cuda       # a GPU; flash-linear-attention
                                                    # joins in if it is installed

All contestants take turns within one run, and the tables give ratios, so that other
work on the machine touches all of them alike. On the CPU the time is the thread's own
CPU time, on a GPU it is between events. Memory is what a call adds to its inputs, in a
process of its own on the CPU.
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
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lcr_mmaction.ops import bi_wkv, bi_wkv_multiply_adds

HEADS, SIZE = 3, 64
LENGTHS = {49: 16, 197: 16, 785: 4, 3137: 1, 12545: 1}  # tokens: batch
LONGEST = {"token loop": 197, "softmax attention": 3137}
Contestant = Callable[..., Tensor]


def token_loop(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The recurrence, one token after the other in both directions."""
    decay = w.exp().unsqueeze(-1)
    outer = (k.unsqueeze(-1) * v.unsqueeze(-2)).unbind(1)
    queries = r.unsqueeze(-2).unbind(1)
    y = list(((r * u * k).sum(-1, keepdim=True) * v).unbind(1))
    for order in (range(len(y)), range(len(y) - 1, -1, -1)):
        state = torch.zeros_like(outer[0])
        for t in order:
            y[t] = y[t] + (queries[t] @ state).squeeze(-2)
            state = decay * state + outer[t]
    return torch.stack(y, dim=1)


def softmax_attention(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Attention over the same tokens, in the layout it likes best."""
    del w, u
    return F.scaled_dot_product_attention(r, k, v)


def contestants(device: str) -> dict[str, Contestant]:
    """Who takes part, ``bi_wkv`` first."""
    kernel = functools.partial(bi_wkv, backend=device)
    chunked = functools.partial(bi_wkv, backend="chunked")
    entries: dict[str, Contestant] = {"bi_wkv": kernel, "chunked PyTorch": chunked}
    entries |= {"token loop": token_loop, "softmax attention": softmax_attention}
    if device == "cuda":
        entries |= flash_linear_attention()
    return entries


def flash_linear_attention() -> dict[str, Contestant]:
    """Its one-directional RWKV-6, forward and reversed, if it is installed."""
    try:
        from fla.ops.rwkv6 import chunk_rwkv6, fused_recurrent_rwkv6
    except ImportError:
        return {}

    def both_ways(one_way: Callable[..., tuple[Tensor, Tensor]]) -> Contestant:
        def run(r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
            w = w.expand_as(k).to(k)
            ahead, _ = one_way(r, k, v, w, u, scale=1.0)
            r, k, v, w = (x.flip(1) for x in (r, k, v, w))
            back, _ = one_way(r, k, v, w, torch.zeros_like(u), scale=1.0)
            return ahead + back.flip(1)

        return run

    return {
        "fla chunk_rwkv6": both_ways(chunk_rwkv6),
        "fla fused_recurrent_rwkv6": both_ways(fused_recurrent_rwkv6),
    }


def inputs_for(name: str, batch: int, tokens: int, device: str) -> list[Tensor]:
    """Leaves r, k, v, w, u; bfloat16 tokens on a GPU, float32 on a CPU."""
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    shape = (batch, tokens, HEADS, SIZE)
    if name == "softmax attention":
        shape = (batch, HEADS, tokens, SIZE)
    rkv = [torch.randn(shape, device=device, dtype=dtype) for _ in range(3)]
    w = -torch.linspace(-5, 0, SIZE, device=device).exp().repeat(HEADS, 1)
    u = torch.randn(HEADS, SIZE, device=device)
    return [x.requires_grad_() for x in (*rkv, w, u)]


def call(function: Contestant, inputs: list[Tensor], backward: bool) -> None:
    """One forward pass, or one forward and backward."""
    if not backward:
        with torch.no_grad():
            function(*inputs)
        return
    y = function(*inputs)
    torch.autograd.grad(y, inputs, torch.ones_like(y), allow_unused=True)


def seconds(function: Contestant, inputs: list[Tensor], backward: bool) -> float:
    """Time of one call."""
    if inputs[0].is_cuda:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call(function, inputs, backward)
        stop.record()
        torch.cuda.synchronize()
        return start.elapsed_time(stop) / 1e3
    begun = time.process_time()
    call(function, inputs, backward)
    return time.process_time() - begun


def peak_bytes(function: Contestant, inputs: list[Tensor]) -> int:
    """What forward and backward add to the memory in use, at their peak."""
    if inputs[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call(function, inputs, True)
        return torch.cuda.max_memory_allocated() - before
    # Freed memory that the C library keeps would hide what a call needs.
    ctypes.CDLL(None).malloc_trim(0)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call(function, inputs, True)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(writing, str((after - before) * 1024).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reading, 100))


def compare(tokens: int, batch: int, device: str, repeats: int) -> None:
    """Print the rows of the table for one length."""
    entries = {
        name: (function, inputs_for(name, batch, tokens, device))
        for name, function in contestants(device).items()
        if tokens <= LONGEST.get(name, tokens)
    }
    memory = {name: peak_bytes(*entry) for name, entry in entries.items()}
    times: dict[tuple[str, bool], list[float]] = {}
    for repeat in range(repeats + 1):
        for name, (function, inputs) in entries.items():
            for backward in (False, True):
                taken = seconds(function, inputs, backward)
                if repeat:  # the first call warms up
                    times.setdefault((name, backward), []).append(taken)
    for name in entries:
        cells = []
        for backward in (False, True):
            own, ours = times[name, backward], times["bi_wkv", backward]
            ratio = statistics.median(a / b for a, b in zip(own, ours, strict=True))
            cells += [f"{statistics.median(own) * 1e3:.2f}", f"{ratio:.2f}"]
        cells.append(f"{memory[name] / 2**20:.0f}")
        print(f"| {tokens} | {batch} | {name} | {' | '.join(cells)} |", flush=True)


def scaling(device: str, repeats: int) -> None:
    """Print the exponent of time in the number of tokens, forward and backward."""
    medians = {}
    cases = {tokens: inputs_for("", 1, tokens, device) for tokens in (197, 12545)}
    for tokens, inputs in cases.items():
        function = contestants(device)["bi_wkv"]
        call(function, inputs, True)
        taken = [seconds(function, inputs, True) for _ in range(repeats)]
        medians[tokens] = statistics.median(taken)
    exponent = math.log(medians[12545] / medians[197]) / math.log(12545 / 197)
    print(f"\nTime grows as T^{exponent:.2f} from 197 to 12545 tokens (batch 1).")


def device_rate(device: str) -> None:
    """Print the matrix rate measured here, and the share of it that bi_wkv reaches."""
    size = 4096 if device == "cuda" else 768
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    a = torch.randn(size, size, device=device, dtype=dtype)
    inputs = inputs_for("", 16, 197, device)
    function = contestants(device)["bi_wkv"]
    products, calls = [], []
    for _ in range(8):
        products.append(seconds(lambda *_: a @ a, [a], False))
        calls.append(seconds(function, inputs, True))
    rate = 2 * size**3 / statistics.median(products[1:])
    work = 4 * 2 * bi_wkv_multiply_adds(inputs[1].shape, inputs[2].shape)
    share = work / statistics.median(calls[1:]) / rate
    print(f"Matrix rate {rate / 1e9:.0f} GFLOP/s; bi_wkv's counted work at 197 tokens,")
    print(f"forward and backward, runs at {100 * share:.0f} % of it.")


def main() -> None:
    """Run everything and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.device == "cuda":
        print(torch.cuda.get_device_name())
    print(
        "| T | B | | forward ms | x bi_wkv | forward + backward ms | x bi_wkv | MiB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for tokens, batch in LENGTHS.items():
        compare(tokens, batch, arguments.device, arguments.repeats)
    scaling(arguments.device, arguments.repeats)
    device_rate(arguments.device)


if __name__ == "__main__":
    main()
