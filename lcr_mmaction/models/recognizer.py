"""MMAction2's recognizer, for clips whose frames have times."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.models import Recognizer3D
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor


@MODELS.register_module()
class LCRRecognizer(Recognizer3D):
    """:class:`Recognizer3D` that gives the backbone the times between frames.

    Clips have them where ``elapsed`` is among the metadata of their samples:
    ``[num_clips * T]``, as :class:`~lcr_mmaction.transforms.SampleVariedRate` makes it
    and ``PackActionInputs(meta_keys=("elapsed",))`` packs it. Without it everything is
    as in the base class.

    Args:
        **kwargs: Of :class:`Recognizer3D`.
    """

    def extract_feat(
        self,
        inputs: Tensor,
        stage: str = "neck",
        data_samples: list[ActionDataSample] | None = None,
        test_mode: bool = False,
    ) -> tuple:
        """As in the base class, with times.

        Args:
            inputs: ``[N, num_clips, C, T, H, W]``.
            stage: ``'backbone'``, ``'neck'`` or ``'head'``.
            data_samples: N samples, or None.
            test_mode: Whether views are kept apart.

        Raises:
            ValueError: Some samples have times and others have none, or not one a
                frame.
        """
        elapsed = frame_times(data_samples or [])
        if elapsed is None:
            return super().extract_feat(inputs, stage, data_samples, test_mode)
        clips = inputs.flatten(0, 1)
        times = elapsed.to(clips.device).reshape(len(clips), -1)
        features = self.backbone(clips, times)
        extra: dict = {"num_segs": inputs.shape[1]} if test_mode else {"loss_aux": {}}
        if stage == "head":
            features = self.cls_head(features)
        return features, extra

    def predict(
        self, inputs: Tensor, data_samples: list[ActionDataSample], **kwargs
    ) -> list[ActionDataSample]:
        """Classify clips; the base class gives no samples to the backbone."""
        features, extra = self.extract_feat(
            inputs, data_samples=data_samples, test_mode=True
        )
        return self.cls_head.predict(features, data_samples, **extra)


def frame_times(data_samples: Sequence[ActionDataSample]) -> Tensor | None:
    """Times of all samples, ``[N, frames]``; None where none has any."""
    found = [sample.metainfo.get("elapsed") for sample in data_samples]
    if all(times is None for times in found):
        return None
    if any(times is None for times in found):
        raise ValueError("some samples of a batch have elapsed, others have none")
    return torch.stack([torch.as_tensor(times) for times in found])
