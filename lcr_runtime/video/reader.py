"""What every decoder of the project gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import ClassVar

import cv2
import numpy as np

from .errors import unreadable
from .frame import Frame, Thinner
from .index import FrameIndex

TIMEOUT = 30.0  # seconds without a frame
SAME_SHAPE = 0.02  # relative difference of two aspect ratios


class VideoReader(ABC):
    """A video file as it was filmed, whatever decodes it.

    Every reader gives the same of the same file:

    - upright pictures: the display matrix is applied, mirrored ones included;
    - RGB, uint8, ``H x W x 3``, with the matrix and range that the file names (BT.601
      and limited range where it names none); alpha is dropped, grey is repeated, more
      than 8 bits are rounded. Pixels stay as stored where they are not square;
    - pictures of one size, the header's: others of the same shape are scaled to it,
      others are an error;
    - the container's times, counted from the first frame;
    - a true number of frames: counted, never believed;
    - :class:`~.errors.VideoError` where a frame is missing or damaged, and after
      ``timeout`` seconds without a frame: no picture is guessed or left out.

    Use it as a context manager. It is for one thread.

    Args:
        path: The file.
        timeout: Seconds without a frame after which to give up.

    Attributes:
        decoder: Name of what decodes, a key of ``DECODERS``.
        path: The file.
        size: Height and width of the upright pictures, once one is decoded.
    """

    decoder: ClassVar[str]

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self.path = path
        self.timeout = timeout
        self.size: tuple[int, int] | None = None

    @property
    @abstractmethod
    def index(self) -> FrameIndex:
        """All frames and their times; reads the file once, without decoding it."""

    @abstractmethod
    def _walk(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        """Go through the frames from the start.

        Yields:
            The frame's time, and a function that makes its upright picture, of any
            size; it is only called before the next frame.
        """

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self.index.stamps)

    @property
    def times(self) -> np.ndarray:
        """Seconds of each frame since the first, float64 ``[N]``."""
        return self.index.times

    @property
    def rate(self) -> float | None:
        """Frames per second on the average; None of a single frame."""
        return self.index.rate

    def __iter__(self) -> Iterator[Frame]:
        """All frames, from the first."""
        return self.frames()

    def frames(self, fps: float | None = None) -> Generator[Frame, None, None]:
        """Frames from the first, at most ``fps`` a second.

        Only frames that are due become pictures.

        Args:
            fps: Frames per second wanted, thinned out evenly by time; None keeps all.
        """
        thinner = Thinner(fps)
        for number, (time, picture) in enumerate(self._walk()):
            if thinner.due(time):
                yield Frame(self._fitted(picture()), time, number)

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Read frames by number, in any order; a number may occur more than once.

        Args:
            numbers: From 0 to ``len(self) - 1``.

        Returns:
            As many pictures, each in memory of its own.

        Raises:
            IndexError: There is no such frame.
        """
        wanted = np.asarray(numbers, np.int64).reshape(-1)
        outside = wanted[(wanted < 0) | (wanted >= len(self))]
        if len(outside):
            raise IndexError(
                f"{self.path} has the frames 0 to {len(self) - 1}, not {outside[0]}"
            )
        order = np.unique(wanted)
        pictures = {
            number: self._fitted(picture)
            for number, picture in zip(
                order.tolist(), self._pictures(order.tolist()), strict=True
            )
        }
        chosen = wanted.tolist()
        return [
            pictures[number].copy() if number in chosen[:place] else pictures[number]
            for place, number in enumerate(chosen)
        ]

    def close(self) -> None:  # noqa: B027 - nothing to close is a way to do it
        """Let go of the file; harmless when repeated."""

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        """Make the upright pictures of frames, given in rising order."""
        left = iter(numbers)
        number = next(left, None)
        for current, (_, picture) in enumerate(self._walk()):
            if number is None:
                return
            if current == number:
                yield picture()
                number = next(left, None)
        if number is not None:
            raise self._missing(number, current + 1)

    def _missing(self, number: int, decoded: int) -> Exception:
        reason = f"frame {number} of {len(self)} is missing, {decoded} decode"
        return unreadable(self.path, self.decoder, reason)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        """Scale a picture to the size of all."""
        height, width = image.shape[:2]
        if self.size is None:
            self.size = height, width
        if (height, width) == self.size:
            return image
        if abs(height * self.size[1] / (width * self.size[0]) - 1) > SAME_SHAPE:
            raise unreadable(
                self.path,
                self.decoder,
                f"its pictures change from {self.size[1]}x{self.size[0]} to "
                f"{width}x{height} in mid-file",
                "Cut it where they change, or encode it anew at one size",
            )
        return cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)
