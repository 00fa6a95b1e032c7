"""Writing mp4 files, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from types import TracebackType
from typing import Any

import numpy as np


class VideoWriter:
    """An H.264 mp4 that every player shows, opened with the first frame.

    Args:
        path: File to write; one that is there is replaced.
        fps: Frames a second, above 0.

    Raises:
        ValueError: ``fps`` is not above 0.
    """

    def __init__(self, path: str | PathLike, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"{path}: fps must be above 0, got {fps}")
        self.path = str(path)
        self.rate = Fraction(fps).limit_denominator(1001)
        self._size: tuple[int, int] | None = None
        self._container: Any = None

    def write(self, frame: np.ndarray) -> None:
        """Add a frame.

        Args:
            frame: ``H x W x 3`` uint8, BGR; all of one size, sides even.

        Raises:
            OSError: The file cannot be written.
            ValueError: The size is odd or not that of the first frame.
        """
        import av

        size = frame.shape[1], frame.shape[0]
        if self._size is None:
            if size[0] % 2 or size[1] % 2:
                raise ValueError(f"{self.path}: sides must be even, got {size}")
            self._size = size
            self._container = av.open(self.path, "w", format="mp4")
            options = {"crf": "18", "preset": "veryfast", "threads": "1"}
            self._stream = self._container.add_stream(
                "libx264", rate=self.rate, options=options
            )
            self._stream.pix_fmt = "yuv420p"
            self._stream.width, self._stream.height = size
        if size != self._size:
            raise ValueError(
                f"{self.path}: a frame of {size[0]} x {size[1]} after those of "
                f"{self._size[0]} x {self._size[1]}"
            )
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "bgr24")
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file; harmless when repeated. Without a frame there is none."""
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
