"""What the benchmarks share: taking turns, peak memory, tables and their files.

Contestants take turns within one run, so that whatever else the machine does touches
all of them alike; times are wall-clock, device work included.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from lcr_mmaction.upstream.allocator import keep_memory
from lcr_runtime.engines.memory import move_to_large_pages

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Times(NamedTuple):
    """Seconds of the calls of one contestant, in the order of the turns.

    Attributes:
        each: Seconds of every timed call.
        warm: False where the limit left time for no call but the first.
    """

    each: tuple[float, ...]
    warm: bool

    @property
    def median(self) -> float:
        """Median seconds of a call."""
        return statistics.median(self.each)

    def over(self, other: Times) -> float:
        """How many times longer than ``other``: median over the turns of both."""
        pairs = zip(self.each, other.each, strict=False)
        return statistics.median(a / b for a, b in pairs)


def wait(device: str) -> None:
    """Wait for an accelerator to finish."""
    if device != "cpu":
        torch.cuda.synchronize()


def seconds(call: Callable[[], object], device: str) -> float:
    """Wall-clock seconds of one call."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def take_turns(
    calls: dict[Key, Callable[[], object]],
    device: str,
    repeats: int,
    limit: float = math.inf,
) -> dict[Key, Times]:
    """Time all calls in turn, once to warm up and then ``repeats`` times.

    Args:
        calls: What to time.
        device: Where it runs.
        repeats: Timed calls of each.
        limit: Seconds that one contestant may take in all. It makes its first call
            in any case and no further one that would pass the limit.
    """
    taken: dict[Key, list[float]] = {key: [] for key in calls}
    for number in range(repeats + 1):
        for key, call in calls.items():
            own = taken[key]
            if not own or sum(own) + own[-1] <= limit:
                own.append(seconds(call, device))
        if not number and device == "cpu":
            move_to_large_pages()  # as training does
    return {
        key: Times(tuple(own[1:] or own), len(own) > 1) for key, own in taken.items()
    }


class PeakMemory:
    """Highest memory in use since its creation, beyond what was in use then.

    On a CPU it is the resident memory of the process, and only right in one whose
    earlier peak lies lower: create it inside :func:`in_own_process`.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cpu":
            # Freed memory that the C library keeps would hide what a call needs.
            ctypes.CDLL(None).malloc_trim(0)
            self.start = _status_bytes("VmRSS")
        else:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.start = torch.cuda.memory_allocated()

    def mib(self) -> float:
        """The growth so far, in MiB."""
        peak = (
            _status_bytes("VmHWM")
            if self.device == "cpu"
            else torch.cuda.max_memory_allocated()
        )
        return (peak - self.start) / 2**20


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(x for x in lines if x.startswith(name)).split()[1])


def available_mib(device: str) -> float:
    """Memory that is free, in MiB."""
    if device != "cpu":
        return torch.cuda.mem_get_info()[0] / 2**20
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(x for x in lines if x.startswith("MemAvailable")).split()[1]) / 1024


def in_own_process(device: str, function: Callable[..., Result], *args) -> Result:
    """Call a function of a module in a fresh process; on a GPU, in this one.

    Args:
        device: Where the function works.
        function: Defined in a module, as multiprocessing requires.
        *args: Its arguments.

    Raises:
        BrokenProcessPool: The process was killed, for want of memory most likely.
    """
    if device != "cpu":
        return function(*args)
    context = multiprocessing.get_context("forkserver")
    # Imported once in the server, from which the processes are forked.
    context.set_forkserver_preload(["lcr_mmaction.models", "mmaction.models"])
    threads = (torch.get_num_threads(),)
    with ProcessPoolExecutor(1, context, torch.set_num_threads, threads) as pool:
        return pool.submit(function, *args).result()


def precision(device: str, dtype: str) -> torch.autocast:
    """Autocast to ``dtype``, or none for ``'fp32'``."""
    return torch.autocast(device, DTYPES[dtype], enabled=dtype != "fp32")


def random_clips(batch: int, channels: int, frames: int, size: int) -> Tensor:
    """Normalised noise ``[N, C, T, H, W]``; a fourth channel holds sparse edges."""
    clips = torch.randn(batch, channels, frames, size, size)
    clips[:, 3:] = (clips[:, 3:] > 1).float()
    return clips


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Least-squares slope of log(cost) over log(size)."""
    logs = [math.log(x) for x in sizes], [math.log(y) for y in costs]
    return statistics.linear_regression(*logs).slope


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats get three significant digits."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(_cell(value) for value in line)} |" for line in lines
    )


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{digits}f}"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a table with all digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Parser with what all benchmarks understand."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, help="of the CPU; default: PyTorch's")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/benchmarks"))
    return parser


def begin(args: argparse.Namespace) -> None:
    """Set threads, memory and seed, and print where the figures come from."""
    keep_memory()  # as training does
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    gpu = f"{torch.cuda.get_device_name()}, " if args.device == "cuda" else ""
    print(f"{gpu}{torch.get_num_threads()} CPU threads, PyTorch {torch.__version__}\n")
