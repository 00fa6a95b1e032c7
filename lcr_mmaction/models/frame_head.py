"""The head of LCR with a target for every frame."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from .head import LCRHead


@MODELS.register_module()
class LCRFrameHead(LCRHead):
    """:class:`.head.LCRHead` trained on every frame, for streams.

    A clip's ``gt_label`` holds T classes; frames below 0 are left out of the loss.
    Clips are classified like there, by default by their last frame.

    Args:
        num_classes: Number of classes.
        in_channels: Features of a frame, ``2 * embed_dims`` of the backbone.
        consensus: ``'last'`` or ``'mean'``, for the score of a clip.
        **kwargs: Of :class:`.head.LCRHead`.
    """

    def __init__(
        self, num_classes: int, in_channels: int, consensus: str = "last", **kwargs
    ) -> None:
        super().__init__(num_classes, in_channels, consensus=consensus, **kwargs)

    def loss(
        self, feats: Tensor, data_samples: list[ActionDataSample], **kwargs
    ) -> dict[str, Tensor]:
        """Loss and accuracy over all frames that have a class.

        Args:
            feats: ``[N, T, in_channels]``.
            data_samples: N, each with ``gt_label`` ``[T]``.
            **kwargs: What recognizers pass along; not used.

        Returns:
            What :meth:`mmaction.models.heads.BaseHead.loss_by_feat` makes of the
            frames as a batch.

        Raises:
            ValueError: There are not T classes a clip, or all frames are ignored.
        """
        targets = torch.stack([sample.gt_label for sample in data_samples])
        if targets.shape != feats.shape[:2]:
            raise ValueError(
                f"LCRFrameHead needs a class for each of the {feats.shape[1]} frames "
                f"of a clip, got gt_label of {list(targets.shape[1:])}: put "
                "FrameTargets into the pipeline"
            )
        targets = targets.to(feats.device)
        known = targets >= 0
        if not known.any():
            raise ValueError("no frame of the batch has a class: all are ignored")
        # The base class takes one batch of labels; here that is one of frames.
        frames = ActionDataSample().set_gt_label(targets[known])
        return self.loss_by_feat(self.score(feats[known]), [frames])
