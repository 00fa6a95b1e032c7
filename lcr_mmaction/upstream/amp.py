"""Mixed precision on a machine without an accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn


class CpuAmpOptimWrapper(OptimWrapper):
    """Mixed precision on the CPU, in bfloat16.

    Takes the arguments of MMEngine's ``AmpOptimWrapper``, so that one config serves
    CPU and GPU, and resumes from the checkpoints of either. bfloat16 has float32's
    range, so the loss needs no scaling.

    Args:
        loss_scale: Accepted and not used.
        dtype: ``'bfloat16'`` or ``torch.bfloat16``; None means the same.
        **kwargs: Keyword arguments of :class:`mmengine.optim.OptimWrapper`.

    Raises:
        ValueError: ``dtype`` is another type.
    """

    def __init__(
        self,
        loss_scale: str | float | dict = "dynamic",
        dtype: str | torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        if dtype not in (None, "bfloat16", torch.bfloat16):
            raise ValueError(
                f"Mixed precision in {dtype} needs a GPU; on the CPU expected "
                "optim_wrapper.dtype='bfloat16'."
            )
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass in bfloat16 where that is safe."""
        with (
            super().optim_context(model),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            yield

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore the optimizer; a GPU run's loss scale is left out."""
        state_dict.pop("loss_scaler", None)
        super().load_state_dict(state_dict)


def mend_amp_on_cpu() -> None:
    """Let ``--amp`` and ``type='AmpOptimWrapper'`` train in bfloat16 on the CPU.

    The fault: MMEngine 0.10's ``AmpOptimWrapper`` asserts an accelerator, although
    PyTorch's autocast knows bfloat16 on the CPU. Inactive where there is an
    accelerator; without one, MMAction2's registry finds :class:`CpuAmpOptimWrapper`
    by that name, and MMEngine's own registry stays as it is.
    """
    if get_device() == "cpu" and "AmpOptimWrapper" not in OPTIM_WRAPPERS.module_dict:
        OPTIM_WRAPPERS.register_module(
            name="AmpOptimWrapper", module=CpuAmpOptimWrapper
        )
