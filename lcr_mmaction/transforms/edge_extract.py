"""Edge maps of RGB frames, appended as a fourth channel."""

from __future__ import annotations

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from lcr_runtime.edge_methods import check_rgb, edge_extractor

from .frames import decoded_frames, of_file


@TRANSFORMS.register_module()
class EdgeExtract(BaseTransform):
    """Append each frame's edge map as a fourth channel.

    The paper (Yin et al., arXiv:2411.05636) prompts its gates with the edges of
    the current frame, found by Canny under Otsu's thresholds. Place this after
    the geometric transforms, so that the edges are those of the pixels the
    network sees, and before ``FormatShape``. The later stock components take
    any number of channels.

    Required keys: ``imgs``. Modified keys: ``imgs``, from ``H x W x 3`` uint8
    RGB frames to contiguous ``H x W x 4`` uint8 ones.

    Args:
        method: ``'canny_otsu'`` (the paper's), ``'canny'``, ``'sobel'``,
            ``'sobel_relative'``, ``'laplacian'`` or ``'none'`` (a channel of zeros).
        **options: Keyword arguments of the method: ``low_ratio`` for
            ``'canny_otsu'``; ``low`` and ``high`` for ``'canny'``.

    Raises:
        TypeError: An option the method lacks; at a call, frames not uint8.
        ValueError: An unknown method; at a call, frames that are not all RGB of
            one size, no frame at all, or ``FormatShape`` placed before.
    """

    def __init__(self, method: str = "canny_otsu", **options: float) -> None:
        self.method = method
        self.options = options
        self._extract = edge_extractor(method, **options)
        self._extract(np.zeros((8, 8), np.uint8))  # bad option values fail here

    def transform(self, results: dict) -> dict:
        """Replace ``results['imgs']`` by four-channel frames."""
        frames = decoded_frames(results, "EdgeExtract")
        where = of_file(results)
        for frame in frames:
            check_rgb(frame, where)
        sizes = {frame.shape[:2] for frame in frames}
        if len(sizes) > 1:
            raise ValueError(
                f"EdgeExtract got frames of different sizes{where}: "
                f"{sorted(sizes)}; resize them to one size first."
            )
        clip = np.empty((len(frames), *sizes.pop(), 4), np.uint8)
        for frame, rgbe in zip(frames, clip, strict=True):
            # OpenCV interleaves channels many times faster than NumPy slices.
            cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA, dst=rgbe)
            edges = self._extract(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
            cv2.insertChannel(edges, rgbe, 3)
        results["imgs"] = list(clip)
        return results

    def __repr__(self) -> str:
        """Show the method and its options, as MMAction2 logs its pipelines."""
        options = "".join(f", {key}={value}" for key, value in self.options.items())
        return f"{type(self).__name__}(method={self.method!r}{options})"
