"""Where frames come from: arrays, video files, cameras and network streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        image: ``H x W x 3`` uint8.
        time: Seconds since the source's start.
        index: Number of the frame in the source, from 0; thinned-out and dropped
            frames count.
    """

    image: np.ndarray
    time: float
    index: int


class Thinner:
    """Choose frames so that no more than ``fps`` a second remain.

    Args:
        fps: Frames per second wanted; None keeps all.

    Raises:
        ValueError: ``fps`` is not above 0.
    """

    def __init__(self, fps: float | None) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self.interval = 0.0 if fps is None else 1.0 / fps
        self._next = -np.inf

    def due(self, time: float) -> bool:
        """Whether to keep the frame of this time (seconds)."""
        # Frame times are sums of rounded intervals: forgive a thousandth of one.
        if time < self._next - 1e-3 * self.interval:
            return False
        # Keep to the beat, unless the frame came too late for it.
        self._next = max(self._next + self.interval, time)
        if self._next <= time:
            self._next = time + self.interval
        return True


class FrameSource(ABC):
    """Frames with their times. Iterate over it, or :meth:`read` one by one.

    Attributes:
        channel_order: ``'bgr'`` or ``'rgb'``.
        fps: Frames it gives per second, where that is known.
        dropped: Frames lost because the reader was too slow.
        ended: Whether no frame will come any more.
    """

    channel_order = "bgr"
    fps: float | None = None
    dropped = 0
    ended = False

    @abstractmethod
    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame.

        Args:
            wait: Whether to wait for a live source's next frame.

        Returns:
            None at the end, or where there is no new frame and ``wait`` is False.
        """

    def close(self) -> None:
        """Let go of files, devices and threads; harmless when repeated."""
        self.ended = True

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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

    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame, or None at the end."""
        if self.ended:
            return None
        for index, image in self._frames:
            return Frame(image, index / (self.fps or 1.0), index)
        self.ended = True
        return None


class VideoSource(FrameSource):
    """A video of known length: a file, or a file behind a URL.

    Args:
        path: Anything OpenCV opens.
        fps: Frames per second wanted, thinned out evenly; None keeps all. A video
            of fewer stays as it is.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no video, or tells no frame rate.
    """

    def __init__(self, path: str | Path, fps: float | None = None) -> None:
        path = str(path)
        if "://" not in path and not Path(path).is_file():
            raise FileNotFoundError(f"no video file at {path}")
        self._capture = cv2.VideoCapture(path)
        self._rate = self._capture.get(cv2.CAP_PROP_FPS)
        if not self._capture.isOpened() or not self._rate > 0:
            self._capture.release()
            raise ValueError(
                f"{path} cannot be read as a video: it may be damaged, or hold a "
                "codec that this OpenCV lacks"
            )
        self._thinner = Thinner(fps)
        self.fps = self._rate if fps is None else min(fps, self._rate)
        self._index = -1

    def read(self, wait: bool = True) -> Frame | None:
        """Return the next frame, or None at the end."""
        while not self.ended and self._capture.grab():
            self._index += 1
            time = self._index / self._rate
            if self._thinner.due(time):
                ok, image = self._capture.retrieve()
                if ok:
                    return Frame(image, time, self._index)
        self.close()
        return None

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._capture.release()


def open_source(
    source: int | str | Path | FrameSource | Iterable[np.ndarray],
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
        ValueError: The file is no video.
    """
    from .live import LiveSource, is_live

    if isinstance(source, FrameSource):
        return source
    if isinstance(source, int):
        return LiveSource(source, fps)
    if isinstance(source, (str, Path)):
        if "://" in str(source) and is_live(str(source)):
            return LiveSource(str(source), fps)
        return VideoSource(source, fps)
    return ArraySource(source, fps, channel_order)
