"""Mixed precision on a machine without an accelerator."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper


class CpuAmpOptimWrapper(AmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper`` for the CPU, in bfloat16.

    bfloat16 has float32's range, so the loss needs no scaling: ``loss_scale`` is
    accepted, for configs that also run on a GPU, and not used.

    Args:
        loss_scale: Accepted and not used.
        dtype: ``'bfloat16'`` or ``torch.bfloat16``, the only type that MMEngine's
            autocast takes on the CPU; None means the same.
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
        # AmpOptimWrapper.__init__ asserts an accelerator: go past it.
        OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = None
        self.loss_scaler = torch.cuda.amp.GradScaler(enabled=False)
        self.cast_dtype = torch.bfloat16


def mend_amp_on_cpu() -> None:
    """Let ``--amp`` and ``type='AmpOptimWrapper'`` train in bfloat16 on the CPU.

    The fault: MMEngine 0.10's ``AmpOptimWrapper`` asserts an accelerator, although its
    ``autocast`` knows bfloat16 on the CPU. Inactive where there is an accelerator;
    without one, MMAction2's registry finds :class:`CpuAmpOptimWrapper` by that name,
    and MMEngine's own registry stays as it is.
    """
    if get_device() == "cpu" and "AmpOptimWrapper" not in OPTIM_WRAPPERS.module_dict:
        OPTIM_WRAPPERS.register_module(
            name="AmpOptimWrapper", module=CpuAmpOptimWrapper
        )
