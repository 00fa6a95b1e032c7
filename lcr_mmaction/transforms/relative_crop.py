"""A random part of a clip's picture, whatever the picture's shape."""

from __future__ import annotations

from mmaction.datasets.transforms import RandomResizedCrop
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRelativeCrop(RandomResizedCrop):
    """``RandomResizedCrop`` with shapes relative to the picture's own.

    Of an upright picture ``RandomResizedCrop`` finds no crop of a lying shape that is
    large enough, and takes the square in its middle, always the same.

    Args:
        area_range: Share of the picture that a crop has.
        aspect_ratio_range: Width over height of a crop, over that of the picture.
        lazy: As in ``RandomResizedCrop``.
    """

    @staticmethod
    def get_crop_bbox(
        img_shape: tuple[int, int],
        area_range: tuple[float, float],
        aspect_ratio_range: tuple[float, float],
        max_attempts: int = 10,
    ) -> tuple[int, int, int, int]:
        """Draw left, top, right and bottom of a crop.

        Args:
            img_shape: Height and width of the picture.
            area_range: Of the class.
            aspect_ratio_range: Of the class.
            max_attempts: Draws before the square in the middle is taken.
        """
        height, width = img_shape
        shapes = tuple(ratio * width / height for ratio in aspect_ratio_range)
        return RandomResizedCrop.get_crop_bbox(
            img_shape, area_range, shapes, max_attempts
        )
