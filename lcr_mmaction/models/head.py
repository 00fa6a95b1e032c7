"""The classification head of LCR."""

from __future__ import annotations

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class LCRHead(BaseHead):
    """``W_class LN(concat(O, C))`` of the frames.

    Args:
        num_classes: Number of classes.
        in_channels: Features of a frame, ``2 * embed_dims`` of the backbone.
        consensus: ``'mean'`` averages the logits of all frames of a clip, ``'last'``
            takes those of the last frame (the paper's reading). The mean reaches
            every frame's tokens directly and so learns faster.
        dropout_ratio: Dropout before the classifier.
        **kwargs: Of :class:`mmaction.models.heads.BaseHead`.

    Raises:
        ValueError: ``consensus`` is neither.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        consensus: str = "mean",
        dropout_ratio: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if consensus not in ("mean", "last"):
            raise ValueError(
                f"consensus={consensus!r} is unknown: choose 'mean' or 'last'"
            )
        self.consensus = consensus
        self.norm = nn.LayerNorm(in_channels)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def forward(self, feats: Tensor, **kwargs) -> Tensor:
        """Score clips, or single frames of streams.

        Args:
            feats: ``[N, T, in_channels]``, or ``[N, in_channels]`` of one frame.
            **kwargs: What recognizers pass along; not used.

        Returns:
            Logits ``[N, num_classes]``, float32.
        """
        if feats.dim() == 2:
            return self.score(feats)
        if self.consensus == "last":
            return self.score(feats[:, -1])
        return self.score(feats).mean(dim=1)

    def score(self, feats: Tensor) -> Tensor:
        """Logits of features ``[..., in_channels]``, float32."""
        return self.fc_cls(self.dropout(self.norm(feats))).float()
