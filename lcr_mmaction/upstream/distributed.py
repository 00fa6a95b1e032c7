"""Data-parallel training on a machine without an accelerator."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mmengine.dist.utils
import mmengine.runner.runner
import torch
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel

from .sync_bn import convert_on_cpu


@contextmanager
def _without_cuda_set_device() -> Iterator[None]:
    """Make ``torch.cuda.set_device`` do nothing for a moment."""
    original = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        yield
    finally:
        torch.cuda.set_device = original


def mend_cpu_init_dist() -> None:
    """Let ``torchrun`` start on the CPU.

    The fault: MMEngine 0.10 calls ``torch.cuda.set_device`` for every ``pytorch``
    launch, which a machine without CUDA answers with ``torch._C has no attribute
    '_cuda_setDevice'``, and its default backend, NCCL, needs CUDA as well. Inactive
    where there is an accelerator; on the CPU the call is left out and ``nccl`` becomes
    ``gloo``, with a warning.
    """
    upstream = mmengine.dist.utils._init_dist_pytorch
    if get_device() != "cpu" or hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def init_dist_pytorch(backend: str, *args: Any, **kwargs: Any) -> None:
        if backend == "nccl":
            warnings.warn(
                "The backend 'nccl' needs CUDA, which this machine lacks: using "
                "'gloo'. Set env_cfg.dist_cfg.backend='gloo' to say so yourself.",
                stacklevel=2,
            )
            backend = "gloo"
        with _without_cuda_set_device():
            upstream(backend, *args, **kwargs)

    mmengine.dist.utils._init_dist_pytorch = init_dist_pytorch


def mend_cpu_data_parallel() -> None:
    """Let MMEngine wrap a model on the CPU for data-parallel training.

    The fault: MMEngine's runner always passes ``device_ids=[LOCAL_RANK]``, which
    PyTorch refuses for a model whose parameters lie on the CPU. Inactive where there
    is an accelerator.
    """
    upstream = MMDistributedDataParallel.__init__
    if get_device() != "cpu" or hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def init(self: MMDistributedDataParallel, *args: Any, **kwargs: Any) -> None:
        kwargs["device_ids"] = None
        upstream(self, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init


def mend_cpu_sync_bn() -> None:
    """Let ``sync_bn='torch'`` of a config train on the CPU.

    The fault: PyTorch's ``SyncBatchNorm`` refuses tensors on the CPU. Inactive where
    there is an accelerator.
    """
    upstream = mmengine.runner.runner.convert_sync_batchnorm
    if get_device() != "cpu" or hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def convert(
        module: torch.nn.Module, implementation: str = "torch"
    ) -> torch.nn.Module:
        if implementation == "torch":
            return convert_on_cpu(module)
        return upstream(module, implementation)

    mmengine.runner.runner.convert_sync_batchnorm = convert
