"""What gives frames, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from .video import Frame


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
