"""A stream behind a URL, with the methods that OpenCV's captures have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.container import InputContainer

TIMEOUT = 5.0
# Over TCP, as OpenCV does: a lost packet of UDP spoils pictures.
OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer"}


class UrlCapture:
    """Decodes with PyAV; after seconds of silence there is no next frame.

    OpenCV's own capture goes on with the last picture of the old size where a stream's
    pictures change theirs, and says that all is well.

    Args:
        url: Of the stream.
        timeout: Seconds of silence after which it counts as lost.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self._errors = (av.FFmpegError, EOFError)
        self._reformatter = VideoReformatter()
        self._container: InputContainer | None = None
        try:
            container = av.open(
                url, timeout=timeout, options=OPTIONS, metadata_errors="replace"
            )
        except self._errors:
            return
        if container.streams.video:
            self._container = container
            self._images = self._decoded(container)
        else:
            container.close()

    def isOpened(self) -> bool:  # noqa: N802
        """Whether there are frames to come."""
        return self._container is not None

    @property
    def endless(self) -> bool:
        """Whether nobody knows when it ends, as of a camera."""
        assert self._container is not None
        frames = self._container.streams.video[0].frames
        return self._container.duration is None and not frames

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Whether there was a next frame, and that, ``H x W x 3`` uint8, BGR."""
        image = None if self._container is None else next(self._images, None)
        return image is not None, image

    def release(self) -> None:
        """Close the connection."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decoded(self, container: InputContainer) -> Iterator[np.ndarray]:
        stream = container.streams.video[0]
        stream.thread_count = 1
        try:
            for frame in container.decode(stream):
                if not frame.is_corrupt:
                    image = self._reformatter.reformat(frame, format="bgr24", threads=1)
                    yield image.to_ndarray()
        except self._errors:
            return  # lost, as far as a reader is concerned
