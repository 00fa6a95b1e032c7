"""Say in the log how many threads share the processors."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..threads import describe_threads


@HOOKS.register_module()
class ThreadsHook(Hook):
    """Log PyTorch's CPU threads, how they wait, and the data workers, once a run."""

    def before_train(self, runner: Runner) -> None:
        """Log those of training."""
        runner.logger.info(describe_threads(runner.train_dataloader.num_workers))

    def before_test(self, runner: Runner) -> None:
        """Log those of testing."""
        runner.logger.info(describe_threads(runner.test_dataloader.num_workers))
