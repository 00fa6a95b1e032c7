"""Reading clips from video files with the project's reader."""

from __future__ import annotations

import os.path

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from lcr_runtime.video import DECODERS, open_video
from lcr_runtime.video.reader import TIMEOUT


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open a video file; what ``DecordInit`` does, for every file.

    Required key: ``filename``; ``.mp4`` is added to a name without an ending, as
    ``DecordInit`` does. Added keys: ``video_reader``, ``total_frames`` (counted),
    ``avg_fps`` (of the container's times; None for a single frame).

    Args:
        decoder: ``'pyav'``, ``'opencv'`` or ``'decord'``; see
            :func:`lcr_runtime.video.open_video`.
        timeout: Seconds without a frame after which to give up.

    Raises:
        ValueError: There is no such decoder.
    """

    def __init__(self, decoder: str = "pyav", timeout: float = TIMEOUT) -> None:
        if decoder not in DECODERS:
            raise ValueError(
                f"VideoInit: decoder={decoder!r} is unknown, choose one of "
                f"{[*DECODERS]}"
            )
        self.decoder = decoder
        self.timeout = timeout

    def transform(self, results: dict) -> dict:
        """Open the file and count its frames.

        Raises:
            FileNotFoundError: There is no such file.
            VideoError: It cannot be read; the message says why and what to do.
        """
        path = results["filename"]
        if not os.path.splitext(path)[1]:
            path += ".mp4"
        reader = open_video(path, self.decoder, self.timeout)
        results["video_reader"] = reader
        results["total_frames"] = len(reader)
        results["avg_fps"] = reader.rate
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(decoder={self.decoder!r})"


@TRANSFORMS.register_module()
class VideoDecode(BaseTransform):
    """Decode the sampled frames; what ``DecordDecode`` does.

    Required keys: ``video_reader`` of :class:`VideoInit`, ``frame_inds``. Added keys:
    ``imgs``, a list of upright RGB pictures, uint8 ``[H, W, 3]``; ``img_shape`` and
    ``original_shape``, their height and width.
    """

    def transform(self, results: dict) -> dict:
        """Decode the frames and close the file.

        Raises:
            VideoError: One of them is damaged or missing.
        """
        results["frame_inds"] = np.asarray(results["frame_inds"]).reshape(-1)
        with results["video_reader"] as reader:
            results["imgs"] = reader.read(results["frame_inds"])
        results["video_reader"] = None
        results["original_shape"] = results["imgs"][0].shape[:2]
        results["img_shape"] = results["imgs"][0].shape[:2]
        return results
