"""Keep freed memory within the process while training or testing on a CPU."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..upstream.allocator import keep_memory


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Call :func:`keep_memory` where the model is on the CPU, and log it."""

    def before_run(self, runner: Runner) -> None:
        """Before the first step of any kind."""
        if next(runner.model.parameters()).device.type == "cpu" and keep_memory():
            runner.logger.info(
                "Memory: what a step frees is kept for the next one; set "
                "MALLOC_TRIM_THRESHOLD_ to have it otherwise"
            )
