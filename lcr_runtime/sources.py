"""Where frames come from: arrays, video files, cameras and network streams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path

import cv2
import numpy as np

from .capture import UrlCapture
from .frame_source import FrameSource
from .live import LiveSource
from .video import Frame, open_video


class ArraySource(FrameSource):
    """Frames from any iterable of arrays; none is dropped or thinned out.

    Args:
        frames: ``H x W x 3`` uint8 arrays.
        fps: Frame rate, for the times; without it a frame lasts a second.
        channel_order: ``'bgr'`` or ``'rgb'``.
    """

    def __init__(
        self,
        frames: Iterable[np.ndarray],
        fps: float | None = None,
        channel_order: str = "bgr",
    ) -> None:
        self.channel_order = channel_order
        self.fps = fps
        self._frames = enumerate(frames)
        self._empty = True

    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame, or None at the end.

        Raises:
            ValueError: There is none at all.
        """
        if self.ended:
            return None
        for index, image in self._frames:
            self._empty = False
            return Frame(image, index / (self.fps or 1.0), index)
        self.ended = True
        if self._empty:
            raise ValueError("the source is empty: it gave no frame")
        return None


class VideoSource(FrameSource):
    """A video of known length: a file, or a file behind a URL.

    Frames are upright and come with the container's times.

    Args:
        path: The file, or the URL of one.
        fps: Frames per second wanted, thinned out evenly by time; None keeps all. A
            video of fewer stays as it is.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: It is no video, is damaged, or holds no frame; also on reading.
    """

    def __init__(self, path: str | Path, fps: float | None = None) -> None:
        self._reader = open_video(path)
        rates = [rate for rate in (fps, self._reader.rate) if rate is not None]
        self.fps = min(rates, default=None)
        self._frames = self._reader.frames(fps)

    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame, or None at the end."""
        frame = None if self.ended else next(self._frames, None)
        if frame is None:
            self.close()
            return None
        # As cameras give it; the reader's own order is RGB.
        return replace(frame, image=cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._frames.close()
        self._reader.close()


def open_url(url: str, fps: float | None = None) -> FrameSource:
    """Open a stream without end, or a video file behind a URL.

    It is opened once: some cameras serve a single client.

    Raises:
        ConnectionError: It does not open.
        VideoError: It is a file that cannot be read as a video.
    """
    if url.lower().startswith("rtsp"):
        return LiveSource(url, fps)
    capture = UrlCapture(url)
    if not capture.isOpened():
        raise ConnectionError(f"cannot open {url}: check address and server")
    if capture.endless:
        return LiveSource(url, fps, capture=capture)
    capture.release()
    return VideoSource(url, fps)


Source = int | str | PathLike | FrameSource | Iterable[np.ndarray]
"""Whatever :func:`open_source` opens."""


def open_source(
    source: Source,
    fps: float | None = None,
    channel_order: str = "bgr",
) -> FrameSource:
    """Open whatever gives frames.

    Args:
        source: Number of a camera; path of a video file; ``rtsp://``, ``http://``
            or similar URL (a live stream, or a video file); an iterable of arrays;
            or a source that is open already.
        fps: Frames per second wanted of cameras and videos.
        channel_order: Of arrays. Cameras and videos give BGR.

    Raises:
        FileNotFoundError: There is no such file.
        ConnectionError: The camera or stream does not open.
        VideoError: The file cannot be read as a video.
    """
    if isinstance(source, FrameSource):
        return source
    if isinstance(source, int):
        return LiveSource(source, fps)
    if isinstance(source, (str, PathLike)):
        source = fspath(source)
        if "://" in source:
            return open_url(source, fps)
        return VideoSource(source, fps)
    return ArraySource(source, fps, channel_order)
