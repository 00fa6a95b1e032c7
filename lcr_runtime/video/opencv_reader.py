"""A reader that decodes with OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from .indexed import IndexedReader
from .limit import within
from .reader import TIMEOUT

# AVColorSpace and AVColorRange: OpenCV converts everything but yuvj* as limited BT.601.
RGB, BT709, UNNAMED, BT470BG, SMPTE170M = 0, 1, 2, 5, 6
FULL = 2
WEIGHTS = {BT709: (0.2126, 0.0722), SMPTE170M: (0.299, 0.114)}


class OpenCVReader(IndexedReader):
    """Reads with OpenCV, from the start: random access decodes all frames before.

    See :class:`VideoReader`. OpenCV takes every picture for BT.601: what it makes of
    BT.709 is converted, and other colours are refused.

    Raises:
        VideoError: OpenCV cannot decode the file, or not in its colours.
    """

    decoder = "opencv"

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        super().__init__(path, timeout)
        self._colours = self._conversion()

    def _walk(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        capture: cv2.VideoCapture | None = None
        try:
            capture = within(self.timeout, self._opened)
            for count, time in enumerate(self.times.tolist()):
                if not within(self.timeout, capture.grab):
                    raise self._missing_from(count)
                yield time, partial(self._retrieved, capture)
        except (TimeoutError, cv2.error) as error:
            if isinstance(error, TimeoutError):
                capture = None  # releasing it would hang as well
            raise self._error(error) from error
        finally:
            if capture is not None:
                capture.release()

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise self._error("OpenCV does not open it")
        # It knows turns, but no mirrors.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        return capture

    def _retrieved(self, capture: cv2.VideoCapture) -> np.ndarray:
        decoded, image = capture.retrieve()
        if not decoded:
            raise self._error("a frame does not become a picture")
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if self._colours is not None:
            image = cv2.transform(image, self._colours)
        return self.orientation.upright(image)

    def _missing_from(self, count: int) -> Exception:
        if count == 0:
            return self._error("no frame of it decodes")
        return self._missing(count, count)

    def _conversion(self) -> np.ndarray | None:
        """What makes the file's colours of OpenCV's, float32 ``[3, 3]``."""
        matrix, name = self.first.colorspace, self.first.format.name
        if matrix == RGB or name.startswith(("rgb", "bgr", "gbr", "gray", "pal", "ya")):
            return None
        full = self.first.color_range == FULL and not name.startswith("yuvj")
        if full or matrix not in (BT709, UNNAMED, BT470BG, SMPTE170M):
            raise self._error(
                "OpenCV does not know its colours (full range, or a matrix that is "
                "neither BT.601 nor BT.709)"
            )
        if matrix != BT709:
            return None
        own, theirs = (_rgb_of_ycbcr(*WEIGHTS[x]) for x in (BT709, SMPTE170M))
        return (own @ np.linalg.inv(theirs)).astype(np.float32)


def _rgb_of_ycbcr(red: float, blue: float) -> np.ndarray:
    """The matrix from Y'CbCr to R'G'B', ITU-R BT.601 and BT.709, ``[3, 3]``."""
    green = 1 - red - blue
    luma = np.array([red, green, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.linalg.inv(np.stack([luma, cb, cr]))
