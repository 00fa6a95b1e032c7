"""From a camera's frame to the model's input, as MMAction2's test makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from lcr_runtime.preprocess import frame_steps, to_rgb, transform_names


class FramePreprocessor:
    """The part of a test pipeline that acts on single frames.

    Runs the pipeline's own transforms between the decoder and ``FormatShape``
    (``Resize``, ``CenterCrop``, ``EdgeExtract``...), so that a frame of a stream
    becomes what the same frame becomes in a clip.

    Args:
        pipeline: Configs of the test pipeline's transforms.

    Attributes:
        steps: Configs of those that act on frames.

    Raises:
        ValueError: The pipeline has no decoder or no ``FormatShape``, or its
            transforms do not give one frame for one frame, the same every time.
    """

    def __init__(self, pipeline: Sequence[dict]) -> None:
        self.steps = frame_steps(pipeline)
        self.transforms = [TRANSFORMS.build(step) for step in self.steps]
        self._check_per_frame()

    def __call__(self, frame: np.ndarray, channel_order: str = "bgr") -> np.ndarray:
        """Prepare one frame.

        Args:
            frame: ``H x W x 3`` uint8.
            channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of ``frame``.

        Returns:
            What ``FormatShape`` would get: ``H x W x C`` uint8, RGB first.

        Raises:
            TypeError: The frame is not a uint8 array.
            ValueError: It is not ``H x W x 3``, or the order is unknown.
        """
        return self._transform(to_rgb(frame, channel_order))[0]

    def find_size(self, height: int = 480, width: int = 640) -> tuple[int, int, int]:
        """What a frame of that size becomes: ``(height, width, channels)``."""
        height, width, channels = self(np.zeros((height, width, 3), np.uint8)).shape
        return height, width, channels

    def _transform(self, frame: np.ndarray) -> Sequence[np.ndarray]:
        shape = frame.shape[:2]
        results: dict[str, Any] = dict(
            imgs=[frame],
            img_shape=shape,
            original_shape=shape,
            modality="RGB",
            clip_len=1,
            num_clips=1,
        )
        for transform in self.transforms:
            results = transform(results)
        return results["imgs"]

    def _check_per_frame(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
        runs = [self._transform(noise.copy()) for _ in range(8)]
        alike = all(
            len(frames) == 1 and np.array_equal(frames[0], runs[0][0])
            for frames in runs
        )
        if not alike:
            names = ", ".join(transform_names(self.steps))
            raise ValueError(
                "streaming needs transforms that make one frame of one frame, the "
                f"same every time; among {names} one crops several times, "
                "masks or draws at random: use e.g. Resize, CenterCrop, EdgeExtract"
            )


def normalise(
    preprocessor: BaseDataPreprocessor, pictures: Sequence[np.ndarray]
) -> Tensor:
    """Stack and normalise prepared frames with the model's own preprocessor.

    Args:
        preprocessor: The ``data_preprocessor`` of a recognizer, of format NCTHW.
        pictures: N frames from :class:`FramePreprocessor`, ``H x W x C``.

    Returns:
        ``[N, C, H, W]`` on the preprocessor's device.

    Raises:
        ValueError: The frames differ in size.
    """
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(
            f"the streams of a batch must have frames of one size, got {sorted(sizes)}:"
            " end the pipeline's geometry with a CenterCrop"
        )
    clips = [torch.from_numpy(x).permute(2, 0, 1)[None, :, None] for x in pictures]
    data = preprocessor(dict(inputs=clips, data_samples=None))
    return data["inputs"][:, 0, :, 0]
