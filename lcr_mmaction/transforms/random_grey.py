"""Depth seen by another sensor, of a person elsewhere in its range."""

from __future__ import annotations

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from .frames import decoded_frames


@TRANSFORMS.register_module()
class RandomGrey(BaseTransform):
    """Stretch and shift grey levels of depth; the background stays black.

    The same change for all frames of a clip. Levels from ``background`` up become
    ``middle + a (level - middle) + b``; below, where outlines fade into the background,
    they fall to 0 in proportion. For depth as ``grey`` codes it, or silhouettes: of
    colour, MMAction2's ``ColorJitter`` is the match.

    Required and modified keys: ``imgs``, uint8 ``H x W x C`` frames.

    Args:
        scale: Greatest change of ``a`` from 1, to either side.
        shift: Greatest size of ``b``, in grey levels.
        middle: Level that ``a`` leaves alone.
        background: Lowest level that is not background.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        scale: float = 0.25,
        shift: float = 25.0,
        middle: float = 150.0,
        background: int = 40,
    ) -> None:
        if not 0 <= scale < 1 or shift < 0 or not 1 <= background <= 255:
            raise ValueError(
                "RandomGrey needs 0 <= scale < 1, shift of 0 or more and background "
                f"in 1..255, got scale={scale}, shift={shift}, background={background}"
            )
        self.scale = scale
        self.shift = shift
        self.middle = middle
        self.background = background

    def transform(self, results: dict) -> dict:
        """Map ``results['imgs']``."""
        frames = decoded_frames(results, "RandomGrey")
        table = self._random_table()
        results["imgs"] = [cv2.LUT(frame, table) for frame in frames]
        return results

    @cache_randomness
    def _random_table(self) -> np.ndarray:
        """Return the new level of each of the 256."""
        slope = 1 + np.random.uniform(-self.scale, self.scale)
        shift = np.random.uniform(-self.shift, self.shift)
        levels = np.arange(256.0)
        table = self.middle + slope * (levels - self.middle) + shift
        table = table.clip(self.background / 2, 255)
        fading = levels[: self.background] / self.background
        table[: self.background] = table[self.background] * fading
        return table.astype(np.uint8)

    def __repr__(self) -> str:
        """Show the settings, as MMAction2 logs its pipelines."""
        return (
            f"{type(self).__name__}(scale={self.scale}, shift={self.shift}, "
            f"middle={self.middle}, background={self.background})"
        )
