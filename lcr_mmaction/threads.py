"""PyTorch's CPU threads on a machine that others use too.

OpenMP's threads spin while they wait for one another, for milliseconds. Where another
process has taken one of them off its processor, the rest burn time waiting for it, and
a training step takes several times as long. Threads that sleep at once are late for
the next operator, which costs a stream all that a second thread gains. So they spin for
a few microseconds and then sleep. OpenMP reads the wish once, when it is loaded, and
PyTorch loads it: it has to be in the environment before.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# How often GCC's OpenMP, that of PyTorch's Linux wheels, looks before it sleeps; chosen
# with benchmarks/busy_neighbours.py. LLVM's has no such number: it sleeps at once.
_SPINS = "500"
_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def prepare_threads() -> None:
    """Ask OpenMP to wait asleep, and for no more threads than a container may run.

    What the user has set stays. Once PyTorch is loaded it is too late, and nothing
    is done.
    """
    if "torch" in sys.modules:
        return
    if not any(name in os.environ for name in _CHOICES):
        os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": _SPINS}
    allowed = processors_of_quota()
    if allowed is not None and allowed < processors():
        os.environ.setdefault("OMP_NUM_THREADS", str(allowed))


def processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processors_of_quota(path: Path = _QUOTA) -> int | None:
    """Processors' worth of time that the container is given, rounded up.

    PyTorch counts the processors it may run on, which are all of the machine's
    (``docker run --cpus 2`` takes none away, only time).

    Args:
        path: The control group's ``cpu.max``.

    Returns:
        At least 1; None where there is no limit, or no such file.
    """
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):  # not Linux, an older kernel, "max"
        return None


def describe_threads(workers: int) -> str:
    """One line for the log.

    Args:
        workers: Data workers beside this process, of one thread each.
    """
    import torch

    set_to = ", ".join(f"{x}={os.environ[x]}" for x in _CHOICES if x in os.environ)
    return (
        f"CPU threads: {torch.get_num_threads()} of PyTorch on {processors()} "
        f"processors, beside {workers} data workers of one thread each; waiting: "
        f"{set_to or 'as OpenMP pleases'}"
    )
