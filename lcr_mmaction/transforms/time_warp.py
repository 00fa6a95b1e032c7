"""Clips whose action hurries here and lingers there."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class TimeWarpedSample(BaseTransform):
    """Sample frames over a whole clip, at a speed that changes by chance.

    Like ``UniformSample`` in training, one frame from each of ``clip_len`` equal parts,
    but time is bent first, by a map of ``pieces`` straight pieces with the slopes
    ``exp(N(0, spread^2))``, scaled so that the clip's end stays its end. The order of
    the frames stays. For training; ``UniformSample`` is its match for tests.

    Required keys: ``start_index``, ``total_frames``. Added keys: ``frame_inds``,
    ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Frames of a clip.
        spread: Standard deviation of the logarithm of a piece's speed.
        pieces: Number of pieces, of equal length in the sampled clip.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, clip_len: int, spread: float = 0.4, pieces: int = 4) -> None:
        if clip_len < 1 or spread < 0 or pieces < 1:
            raise ValueError(
                "TimeWarpedSample needs clip_len and pieces of 1 or more and a spread "
                f"of 0 or more, got clip_len={clip_len}, spread={spread}, "
                f"pieces={pieces}"
            )
        self.clip_len = clip_len
        self.spread = spread
        self.pieces = pieces

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        total = results["total_frames"]
        even = (
            np.arange(self.clip_len) + np.random.rand(self.clip_len)
        ) / self.clip_len
        speeds = np.exp(np.random.normal(0, self.spread, self.pieces))
        ends = np.concatenate([[0], np.cumsum(speeds)]) / speeds.sum()
        warped = np.interp(even, np.linspace(0, 1, self.pieces + 1), ends)
        chosen = np.minimum((warped * total).astype(np.int32), total - 1)
        results["frame_inds"] = chosen + results["start_index"]
        results["clip_len"] = self.clip_len
        results["frame_interval"] = None
        results["num_clips"] = 1
        return results

    def __repr__(self) -> str:
        """Show the settings, as MMAction2 logs its pipelines."""
        return (
            f"{type(self).__name__}(clip_len={self.clip_len}, spread={self.spread}, "
            f"pieces={self.pieces})"
        )
