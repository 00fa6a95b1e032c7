"""Mends for faults of the packages that LCR stands on.

One function per fault. Each names the fault, does nothing where upstream works, and
leaves alone what LCR does not need. Applying them twice changes nothing.

A mend acts for MMAction2 alone where upstream lets it (checkpoints, mixed precision).
The others change what fails for every project: a missing module is found, a launch on
a machine without an accelerator starts.
"""

from .imports import check_mmcv, mend_missing_drn

__all__ = ["apply_mends"]


def apply_mends() -> None:
    """Apply every mend that this environment needs.

    Raises:
        ImportError: No edition of MMCV is installed.
    """
    check_mmcv()
    # These import MMCV and MMAction2 themselves.
    from .amp import mend_amp_on_cpu
    from .checkpoints import mend_checkpoint_loading
    from .distributed import (
        mend_cpu_data_parallel,
        mend_cpu_init_dist,
        mend_cpu_sync_bn,
    )
    from .embedded_configs import mend_configs_in_checkpoints
    from .inferencer import mend_inferencer_reader, mend_inferencer_videos

    mend_missing_drn()
    mend_checkpoint_loading()
    mend_configs_in_checkpoints()
    mend_cpu_init_dist()
    mend_cpu_data_parallel()
    mend_cpu_sync_bn()
    mend_amp_on_cpu()
    mend_inferencer_reader()
    mend_inferencer_videos()
