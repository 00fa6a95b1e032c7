"""From a camera's frame to the model's input, as the test pipeline does it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine import Config
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

CHANNEL_ORDERS = ("bgr", "rgb")


def find_test_pipeline(config: Config) -> list[dict]:
    """The test pipeline of a config.

    Raises:
        ValueError: The config has none.
    """
    if "test_pipeline" in config:
        return list(config.test_pipeline)
    pipeline = config.get("test_dataloader", {}).get("dataset", {}).get("pipeline")
    if pipeline is None:
        raise ValueError(
            "the config has neither test_pipeline nor test_dataloader.dataset.pipeline:"
            " streaming takes the preprocessing of frames from there"
        )
    return list(pipeline)


def find_clip_len(pipeline: Sequence[dict], default: int = 16) -> int:
    """Frames of a clip that the pipeline samples, or ``default``."""
    return next((step["clip_len"] for step in pipeline if "clip_len" in step), default)


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
        names = [str(step["type"]).split(".")[-1] for step in pipeline]
        decoders = [i for i, name in enumerate(names) if name.endswith("Decode")]
        if not decoders or "FormatShape" not in names:
            raise ValueError(
                "streaming needs a test pipeline with a decoder and FormatShape, got "
                f"{', '.join(names) or 'an empty one'}"
            )
        first, last = decoders[-1] + 1, names.index("FormatShape")
        self.steps = [dict(step) for step in pipeline[first:last]]
        self.transforms = [TRANSFORMS.build(step) for step in self.steps]
        self._check_per_frame(names[first:last])

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
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"channel_order must be one of {CHANNEL_ORDERS}, got {channel_order!r}"
            )
        _check_frame(frame)
        if channel_order == "bgr":
            frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        frames = self._transform(frame)
        return frames[0]

    def _transform(self, frame: np.ndarray) -> Sequence[np.ndarray]:
        shape = frame.shape[:2]
        results = dict(
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

    def _check_per_frame(self, names: Sequence[str]) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
        runs = [self._transform(noise.copy()) for _ in range(8)]
        alike = all(
            len(frames) == 1 and np.array_equal(frames[0], runs[0][0])
            for frames in runs
        )
        if not alike:
            raise ValueError(
                "streaming needs transforms that make one frame of one frame, the "
                f"same every time; among {', '.join(names)} one crops several times, "
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


def _check_frame(frame: np.ndarray) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise TypeError(f"a frame must be a NumPy array of uint8, got {kind}")
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise ValueError(
            f"a frame must be H x W x 3, got shape {frame.shape}: convert grey or "
            "RGBA frames first, e.g. cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)"
        )
