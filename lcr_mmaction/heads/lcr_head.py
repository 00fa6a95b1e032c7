"""The classification head of LCR."""

from __future__ import annotations

import torch
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor, nn


@MODELS.register_module()
class LCRHead(BaseHead):
    """``W_class LN(concat(O, C))`` of the last frame.

    Args:
        num_classes: Number of classes.
        in_channels: Features of a frame, ``2 * embed_dims`` of the backbone.
        dropout_ratio: Dropout before the classifier.
        frame_loss_weight: Weight of an additional loss over every frame's own
            scores, later frames counting more; 0 trains the last frame only. It
            teaches the model to decide early, which streaming wants.
        **kwargs: Of :class:`mmaction.models.heads.BaseHead`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dropout_ratio: float = 0.0,
        frame_loss_weight: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.frame_loss_weight = frame_loss_weight
        self.norm = nn.LayerNorm(in_channels)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def forward(self, feats: Tensor, **kwargs) -> Tensor:
        """Score clips or frames.

        Args:
            feats: ``[N, T, in_channels]`` (the last frame is scored) or
                ``[N, in_channels]``.
            **kwargs: What recognizers pass along; not used.

        Returns:
            Logits ``[N, num_classes]``, float32.
        """
        if feats.dim() == 3:
            feats = feats[:, -1]
        return self.score(feats)

    def score(self, feats: Tensor) -> Tensor:
        """Logits of features ``[..., in_channels]``, float32."""
        return self.fc_cls(self.dropout(self.norm(feats))).float()

    def loss(self, feats: Tensor, data_samples: SampleList, **kwargs) -> dict:
        """Loss of the last frame, and of all frames if wanted."""
        if not self.frame_loss_weight:
            return super().loss(feats, data_samples, **kwargs)
        scores = self.score(feats)
        losses = self.loss_by_feat(scores[:, -1], data_samples)
        labels = torch.stack([x.gt_label for x in data_samples]).to(scores.device)
        num_frames = scores.shape[1]
        labels = labels.reshape(len(scores), -1)
        weight = torch.linspace(0, 1, num_frames + 1, device=scores.device)[1:]
        if labels.shape[1] == 1:
            log_prob = scores.log_softmax(-1)
            index = labels[:, None].expand(-1, num_frames, -1)
            per_frame = -log_prob.gather(-1, index).squeeze(-1)
        else:
            per_frame = -(labels[:, None] * scores.log_softmax(-1)).sum(-1)
        per_frame = (per_frame * weight).sum(1) / weight.sum()
        losses['loss_frames'] = self.frame_loss_weight * per_frame.mean()
        return losses
