"""Keep freed memory within the process while training or testing on a CPU."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lcr_runtime.engines.memory import move_to_large_pages

from ..upstream.allocator import keep_memory


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Call :func:`keep_memory` where the model is on the CPU, and log it.

    What is kept is moved to large pages once, after the first step of each kind: by
    then a process has about all that it is going to use.
    """

    def before_run(self, runner: Runner) -> None:
        """Before the first step of any kind."""
        on_cpu = next(runner.model.parameters()).device.type == "cpu"
        self._kept = on_cpu and keep_memory()
        self._moved: set[str] = set()
        if self._kept:
            runner.logger.info(
                "Memory: what a step frees is kept for the next one; set "
                "MALLOC_TRIM_THRESHOLD_ to have it otherwise"
            )

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,
        outputs: object = None,
        mode: str = "train",
    ) -> None:
        if self._kept and mode not in self._moved:
            self._moved.add(mode)
            move_to_large_pages()
