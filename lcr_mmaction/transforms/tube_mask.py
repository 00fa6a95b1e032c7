"""Tube masking: hide the same random patches in all frames of a clip."""

from __future__ import annotations

import math

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from .frames import decoded_frames

# Every uint8 value is exact in float16, which has the infinity uint8 lacks.
_AS_HALF_BITS = np.arange(256, dtype=np.float16).view(np.int16)


@TRANSFORMS.register_module()
class TubeMask(BaseTransform):
    """Mark one random set of patches per clip, the same in all its frames.

    The masked pixels become ``-inf`` in every channel: a value that no image
    has and that any ``(x - mean) / std`` leaves as it is. ``LCRBackbone``
    recognises such patches and drops their tokens, so a training step gets
    cheaper with the ratio. Tube masking is VideoMAE's (Tong et al.,
    arXiv:2203.12602); the LCR paper uses it without stating a ratio.

    Place it after ``EdgeExtract`` and before ``FormatShape``, in the training
    pipeline only. The number of hidden patches is ``floor(mask_ratio * L)`` of
    the ``L = (H / patch_size) * (W / patch_size)``, the same for every clip of
    a given size, so batches stay rectangular and at least one patch is kept.
    Random numbers come from NumPy's global generator, as in MMAction2's own
    transforms, so MMEngine's seeds govern them.

    Required keys: ``imgs``, and ``clip_len`` where several clips are sampled.
    Modified keys: ``imgs``, from ``H x W x C`` uint8 to float16 frames, unless
    ``mask_ratio`` is 0, which changes nothing.

    Args:
        mask_ratio: Fraction of patches to hide, in [0, 1).
        patch_size: Side of a square patch in pixels, the backbone's.

    Raises:
        ValueError: ``mask_ratio`` or ``patch_size`` out of range; at a call,
            frames that are not uint8 or whose sides ``patch_size`` does not
            divide, or ``FormatShape`` placed before.
    """

    def __init__(self, mask_ratio: float, patch_size: int = 16) -> None:
        if not 0 <= mask_ratio < 1:
            raise ValueError(
                f"mask_ratio must lie in [0, 1), got {mask_ratio}: it is the "
                "fraction of patches to hide."
            )
        if patch_size < 1:
            raise ValueError(f"patch_size must be at least 1, got {patch_size}.")
        self.mask_ratio = mask_ratio
        self.patch_size = patch_size

    def transform(self, results: dict) -> dict:
        """Mask ``results['imgs']``."""
        if self.mask_ratio == 0:
            return results
        frames = decoded_frames(results, "TubeMask")
        grid = self._patch_grid(frames[0].shape)
        clip_len = results.get("clip_len", len(frames))
        num_clips, rest = divmod(len(frames), clip_len)
        if rest:
            raise ValueError(
                f"TubeMask got {len(frames)} frames, which is no multiple of "
                f"clip_len = {clip_len}."
            )
        masks = self._random_masks(num_clips, grid)
        results["imgs"] = [
            self._hide(frame, masks[i // clip_len]) for i, frame in enumerate(frames)
        ]
        return results

    def _patch_grid(self, shape: tuple[int, ...]) -> tuple[int, int]:
        height, width = shape[:2]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"TubeMask cannot cut {height} x {width} frames into patches of "
                f"{self.patch_size}: resize or crop to multiples of it first."
            )
        return height // self.patch_size, width // self.patch_size

    @cache_randomness
    def _random_masks(self, num_clips: int, grid: tuple[int, int]) -> np.ndarray:
        """Return ``num_clips x rows x cols`` booleans, True where hidden."""
        num_patches = grid[0] * grid[1]
        num_hidden = math.floor(self.mask_ratio * num_patches)
        masks = np.zeros((num_clips, num_patches), bool)
        for mask in masks:
            mask[np.random.permutation(num_patches)[:num_hidden]] = True
        return masks.reshape(num_clips, *grid)

    def _hide(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if frame.dtype != np.uint8:
            raise ValueError(
                f"TubeMask expects uint8 frames, got {frame.dtype}: use it once, "
                "before any normalisation."
            )
        rows, cols = self._patch_grid(frame.shape)
        if (rows, cols) != mask.shape:
            raise ValueError(
                "TubeMask got frames of different sizes in one sample: resize them "
                "to one size first."
            )
        # A look-up table converts far faster than NumPy's astype(float16).
        hidden = cv2.LUT(frame, _AS_HALF_BITS).view(np.float16)
        patches = hidden.reshape(
            rows, self.patch_size, cols, self.patch_size, -1
        ).swapaxes(1, 2)
        patches[mask] = -np.inf
        return hidden.reshape(frame.shape)

    def __repr__(self) -> str:
        """Show the settings, as MMAction2 logs its pipelines."""
        return (
            f"{type(self).__name__}(mask_ratio={self.mask_ratio}, "
            f"patch_size={self.patch_size})"
        )
