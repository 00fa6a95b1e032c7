"""What a test pipeline does to single frames, found in a config or done without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from .edge_methods import edge_extractor

CHANNEL_ORDERS = ("bgr", "rgb")
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}

FrameFunction = Callable[[np.ndarray], np.ndarray]


def find_test_pipeline(config: Mapping[str, Any]) -> list[dict]:
    """The test pipeline of a config.

    Raises:
        ValueError: The config has none.
    """
    pipeline = config.get("test_pipeline")
    if pipeline is None:
        dataset = (config.get("test_dataloader") or {}).get("dataset") or {}
        pipeline = dataset.get("pipeline")
    if pipeline is None:
        raise ValueError(
            "the config has neither test_pipeline nor test_dataloader.dataset.pipeline:"
            " streaming takes the preprocessing of frames from there"
        )
    return list(pipeline)


def find_clip_len(pipeline: Sequence[dict], default: int = 16) -> int:
    """Frames of a clip that the pipeline samples, or ``default``."""
    return next((step["clip_len"] for step in pipeline if "clip_len" in step), default)


def transform_names(steps: Sequence[dict]) -> list[str]:
    """Class names of a pipeline's transforms, without a registry's scope."""
    return [str(step["type"]).split(".")[-1] for step in steps]


def frame_steps(pipeline: Sequence[dict]) -> list[dict]:
    """The transforms that act on single frames: decoder to ``FormatShape``.

    Raises:
        ValueError: The pipeline has no decoder or no ``FormatShape``.
    """
    names = transform_names(pipeline)
    decoders = [i for i, name in enumerate(names) if name.endswith("Decode")]
    if not decoders or "FormatShape" not in names:
        raise ValueError(
            "streaming needs a test pipeline with a decoder and FormatShape, got "
            f"{', '.join(names) or 'an empty one'}"
        )
    first, last = decoders[-1] + 1, names.index("FormatShape")
    return [dict(step) for step in pipeline[first:last]]


def check_frame(frame: np.ndarray, channel_order: str = "bgr") -> None:
    """Check a raw frame.

    Args:
        frame: ``H x W x 3`` uint8.
        channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of ``frame``.

    Raises:
        TypeError: The frame is not a uint8 array.
        ValueError: It is not ``H x W x 3``, or the order is unknown.
    """
    if channel_order not in CHANNEL_ORDERS:
        raise ValueError(
            f"channel_order must be one of {CHANNEL_ORDERS}, got {channel_order!r}"
        )
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise TypeError(f"a frame must be a NumPy array of uint8, got {kind}")
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise ValueError(
            f"a frame must be H x W x 3, got shape {frame.shape}: convert grey or "
            "RGBA frames first, e.g. cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)"
        )


def to_rgb(frame: np.ndarray, channel_order: str = "bgr") -> np.ndarray:
    """Check a raw frame and bring its channels into the model's order.

    Args and errors are those of :func:`check_frame`.
    """
    check_frame(frame, channel_order)
    if channel_order == "bgr":
        frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    return frame


class PlainPreprocessor:
    """The common transforms of frames, in OpenCV and NumPy alone.

    For places without MMAction2; there :class:`.pipeline.FramePreprocessor` runs the
    pipeline's own transforms, and gives the same pixels.

    Args:
        steps: Configs of ``Resize``, ``CenterCrop`` and ``EdgeExtract``, as
            :func:`frame_steps` finds them and exported models carry them.

    Raises:
        ValueError: Another transform, or a bad option.
        TypeError: An unknown option.
    """

    def __init__(self, steps: Sequence[dict]) -> None:
        self.steps = [dict(step) for step in steps]
        # Before the first that knows colours: these treat all channels alike.
        self.geometry: list[FrameFunction] = []
        self.functions: list[FrameFunction] = []
        for step, name in zip(steps, transform_names(steps), strict=True):
            if name not in PLAIN_TRANSFORMS:
                raise ValueError(
                    f"transform {name} needs MMAction2: without it there are "
                    f"{', '.join(PLAIN_TRANSFORMS)}"
                )
            options = {key: value for key, value in step.items() if key != "type"}
            blind = name != "EdgeExtract" and not self.functions
            group = self.geometry if blind else self.functions
            group.append(PLAIN_TRANSFORMS[name](**options))

    def __call__(self, frame: np.ndarray, channel_order: str = "bgr") -> np.ndarray:
        """Prepare one frame; as :meth:`.pipeline.FramePreprocessor.__call__`."""
        check_frame(frame, channel_order)
        # Of a camera's frame little is left to convert after them.
        for function in self.geometry:
            frame = function(frame)
        frame = to_rgb(frame, channel_order)
        for function in self.functions:
            frame = function(frame)
        return frame


def _resize(
    scale: Sequence[int] | float,
    keep_ratio: bool = True,
    interpolation: str = "bilinear",
) -> FrameFunction:
    """MMAction2's ``Resize``: -1 leaves the long side free."""
    method = INTERPOLATIONS[interpolation]

    def size(width: int, height: int) -> tuple[int, int]:
        if isinstance(scale, (int, float)):
            factor = float(scale)
        elif not keep_ratio:
            return int(scale[0]), int(scale[1])
        else:
            short, long = map(float, sorted(scale))
            short, long = (long, np.inf) if short == -1 else (short, long)
            factor = min(long / max(width, height), short / min(width, height))
        return int(width * factor + 0.5), int(height * factor + 0.5)

    def resize(frame: np.ndarray) -> np.ndarray:
        return cv2.resize(frame, size(*frame.shape[1::-1]), interpolation=method)

    return resize


def _centre_crop(crop_size: int | Sequence[int]) -> FrameFunction:
    """MMAction2's ``CenterCrop``; a sequence is width and height."""
    pair = [crop_size] * 2 if isinstance(crop_size, int) else crop_size
    width, height = pair

    def crop(frame: np.ndarray) -> np.ndarray:
        top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
        if top < 0 or left < 0:
            raise ValueError(
                f"cannot crop {width} x {height} out of a frame of "
                f"{frame.shape[1]} x {frame.shape[0]}: put a Resize before"
            )
        return frame[top : top + height, left : left + width]

    return crop


def _add_edges(method: str = "canny_otsu", **options: float) -> FrameFunction:
    """``EdgeExtract``: the edge map as a fourth channel."""
    extract = edge_extractor(method, **options)

    def add(frame: np.ndarray) -> np.ndarray:
        edges = extract(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
        return cv2.merge([frame, edges])

    return add


PLAIN_TRANSFORMS: dict[str, Callable[..., FrameFunction]] = {
    "Resize": _resize,
    "CenterCrop": _centre_crop,
    "EdgeExtract": _add_edges,
}
