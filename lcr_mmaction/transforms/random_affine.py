"""The same clip from a little to the side: one random affine map per clip."""

from __future__ import annotations

import math

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from .frames import decoded_frames


@TRANSFORMS.register_module()
class RandomAffine(BaseTransform):
    """Turn, scale, slant and move all frames of a clip by the same random amount.

    About the middle of the frame; beyond its border the border's pixels go on, so
    that a plain background stays plain in every channel. Place it before
    ``EdgeExtract``, so that the edges are those of the pixels the network sees.

    Required and modified keys: ``imgs``, ``H x W x C`` frames.

    Args:
        degrees: Greatest angle to either side.
        translate: Greatest shift as a share of the frame, to either side.
        scale: Range of the scale; the two axes differ by a third of its spread.
        shear: Greatest slant of either axis in degrees.

    Raises:
        ValueError: An amount is negative, or the scale is no range above 0.
    """

    def __init__(
        self,
        degrees: float = 0.0,
        translate: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        shear: float = 0.0,
    ) -> None:
        if min(degrees, translate, shear) < 0 or not 0 < scale[0] <= scale[1]:
            raise ValueError(
                "RandomAffine needs degrees, translate and shear of 0 or more and "
                f"0 < scale[0] <= scale[1], got degrees={degrees}, "
                f"translate={translate}, scale={scale}, shear={shear}"
            )
        self.degrees = degrees
        self.translate = translate
        self.scale = scale
        self.shear = shear

    def transform(self, results: dict) -> dict:
        """Map ``results['imgs']``."""
        frames = decoded_frames(results, "RandomAffine")
        height, width = frames[0].shape[:2]
        matrix = self._random_matrix(height, width)
        results["imgs"] = [
            cv2.warpAffine(
                frame,
                matrix,
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for frame in frames
        ]
        return results

    @cache_randomness
    def _random_matrix(self, height: int, width: int) -> np.ndarray:
        """Return the 2 x 3 map from old pixels to new ones."""
        angle = math.radians(np.random.uniform(-self.degrees, self.degrees))
        slants = np.tan(np.radians(np.random.uniform(-self.shear, self.shear, 2)))
        size = np.random.uniform(*self.scale)
        spread = (self.scale[1] - self.scale[0]) / 6
        stretch = 1 + np.random.uniform(-spread, spread)
        shift = np.random.uniform(-self.translate, self.translate, 2) * (width, height)
        turn = np.array(
            [
                [math.cos(angle), -math.sin(angle)],
                [math.sin(angle), math.cos(angle)],
            ]
        )
        slant = np.array([[1, slants[0]], [slants[1], 1]])
        linear = turn @ slant @ np.diag([size * stretch, size / stretch])
        middle = np.array([width - 1, height - 1]) / 2
        return np.column_stack([linear, middle + shift - linear @ middle])

    def __repr__(self) -> str:
        """Show the settings, as MMAction2 logs its pipelines."""
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"translate={self.translate}, scale={self.scale}, shear={self.shear})"
        )
