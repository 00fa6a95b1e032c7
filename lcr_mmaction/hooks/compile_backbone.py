"""Let ``compile=True`` of a config compile what compiles well."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """With ``compile`` in the config, compile the backbone instead of the whole step.

    MMEngine compiles the model's ``train_step``, the optimizer's step included, which
    takes minutes to trace and has failed with AdamW. What takes the time is the
    backbone; its weights keep their names. ``compile`` may be a dict of options of
    :func:`torch.compile`, as in MMEngine.
    """

    def before_train(self, runner: Runner) -> None:
        """Put the compiled backbone in the place of the compiled step."""
        options = runner.cfg.get("compile")
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not options or not hasattr(model, "backbone"):
            return
        # MMEngine's, which nothing has called yet.
        vars(runner.model).pop("train_step", None)
        model.backbone.compile(**({} if options is True else options))
        runner.logger.info(
            "compile: the backbone is compiled at the first steps, which takes "
            "minutes; head, loss and optimizer are not."
        )
