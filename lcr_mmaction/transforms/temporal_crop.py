"""Clips that begin later and end earlier than they were cut."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class RandomTemporalCrop(BaseTransform):
    """Keep a random run of a clip's frames.

    Whatever samples frames after it, as ``UniformSample`` does, then sees actions that
    begin and end elsewhere and, as it spreads the same number of frames over fewer,
    that are slower.

    Required and modified keys: ``start_index``, ``total_frames``.

    Args:
        min_share: Least share of the frames to keep, in (0, 1].

    Raises:
        ValueError: ``min_share`` is out of range.
    """

    def __init__(self, min_share: float = 0.7) -> None:
        if not 0 < min_share <= 1:
            raise ValueError(
                f"RandomTemporalCrop needs 0 < min_share <= 1, got {min_share}: it is "
                "the least share of a clip's frames to keep"
            )
        self.min_share = min_share

    def transform(self, results: dict) -> dict:
        """Choose the frames to keep."""
        total = results["total_frames"]
        share = np.random.uniform(self.min_share, 1)
        kept = min(total, max(1, round(share * total)))
        results["start_index"] += np.random.randint(total - kept + 1)
        results["total_frames"] = kept
        return results

    def __repr__(self) -> str:
        """Show the setting, as MMAction2 logs its pipelines."""
        return f"{type(self).__name__}(min_share={self.min_share})"
