"""Readers that decode with something else, and ask PyAV for all else."""

from __future__ import annotations

from functools import cached_property

from .errors import VideoError, unreadable
from .index import FrameIndex
from .pyav_reader import PyAVReader
from .reader import TIMEOUT, VideoReader

USE_PYAV = "Use the decoder 'pyav'"


class IndexedReader(VideoReader):
    """A reader whose times, numbers and orientation come from PyAV.

    See :class:`VideoReader`.

    Attributes:
        container: PyAV's reader of the same file.
        first: The first frame as PyAV decodes it, for what its header says.
        orientation: How the file's pictures are stored.

    Raises:
        VideoError: PyAV cannot read the file, or its pictures change their size, which
            other decoders pass over in silence.
    """

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        super().__init__(path, timeout)
        self.container = PyAVReader(path, timeout)
        self.first, *others = self.container.key_frames()
        self.orientation = self.container.orientation(self.first)
        self.size = self.orientation.size(self.first.height, self.first.width)
        for frame in others:
            if (frame.height, frame.width) != (self.first.height, self.first.width):
                raise self._error(
                    f"its pictures change from {self.first.width}x{self.first.height} "
                    f"to {frame.width}x{frame.height} in mid-file"
                )

    @cached_property
    def index(self) -> FrameIndex:
        """See :class:`VideoReader`."""
        return self.container.index

    def _error(self, reason: object) -> VideoError:
        return unreadable(self.path, self.decoder, reason, USE_PYAV)
