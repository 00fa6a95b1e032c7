"""The data preprocessor, compared with the one that weights were trained with."""

from __future__ import annotations

from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from torch import Tensor

from .meaning import state_meaning


@MODELS.register_module()
class LCRDataPreprocessor(ActionDataPreprocessor):
    """:class:`ActionDataPreprocessor` whose checkpoints keep its normalisation.

    A checkpoint that was trained with another mean, standard deviation or order of
    channels is refused.

    Args:
        **kwargs: Of :class:`mmaction.models.ActionDataPreprocessor`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        meaning: dict[str, object] = {"to_rgb": self.to_rgb}
        if self._enable_normalize:
            mean, std = self.mean, self.std
            assert isinstance(mean, Tensor) and isinstance(std, Tensor)
            meaning["mean"] = [round(x, 3) for x in mean.flatten().tolist()]
            meaning["std"] = [round(x, 3) for x in std.flatten().tolist()]
        state_meaning(self, meaning)
