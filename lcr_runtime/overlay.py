"""Drawing what a stream's results say, with OpenCV."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from .result import StreamResult

WHITE, GREY, GREEN = (255, 255, 255), (110, 110, 110), (80, 220, 80)


class Overlay:
    """Draws frame, edge map, current gesture, scores over time and timings.

    Args:
        labels: Names of the classes.
        channel_order: ``'bgr'`` or ``'rgb'``, of the results' images.
        history: Frames that the chart shows.
        width: Width of the drawing in pixels.
    """

    def __init__(
        self,
        labels: Sequence[str],
        channel_order: str = "bgr",
        history: int = 120,
        width: int = 640,
    ) -> None:
        self.labels = list(labels)
        self.channel_order = channel_order
        self.width = width
        self.history = history
        self._scores: deque[np.ndarray] = deque(maxlen=history)
        self._starts: deque[bool] = deque(maxlen=history)
        self._clocks: deque[float] = deque(maxlen=30)

    def draw(self, result: StreamResult) -> np.ndarray:
        """Draw one result.

        Returns:
            ``H x W x 3`` uint8, BGR, of even sides; of the same size for every
            frame of a stream.
        """
        self._scores.append(result.scores)
        self._starts.append(any(event.phase == "start" for event in result.events))
        self._clocks.append(time.monotonic())
        view = self._view(result)
        return np.vstack([self._status(result), view, self._chart()])

    def _view(self, result: StreamResult) -> np.ndarray:
        image = result.image
        if self.channel_order == "rgb":
            image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        height = round(self.width * image.shape[0] / image.shape[1] / 2) * 2
        view = cv2.resize(image, (self.width, height), interpolation=cv2.INTER_AREA)
        edges = result.edges
        # A quarter of the view's height, but no wider than a third of it.
        scale = min(height / 4 / edges.shape[0], self.width / 3 / edges.shape[1])
        size = [max(1, round(side * scale)) for side in edges.shape[::-1]]
        edges = cv2.resize(edges, size, interpolation=cv2.INTER_AREA)
        inset = view[: size[1], self.width - size[0] :]
        inset[:] = cv2.cvtColor(edges, cv2.COLOR_GRAY2BGR)
        return view

    def _status(self, result: StreamResult) -> np.ndarray:
        bar = np.zeros((52, self.width, 3), np.uint8)
        gesture = result.gesture
        title = gesture.label if gesture else f"{result.label} {result.score:.2f}"
        _write(bar, title, (8, 22), 0.65, GREEN if gesture else WHITE)
        seconds = self._clocks[-1] - self._clocks[0]
        rate = (len(self._clocks) - 1) / seconds if seconds > 0 else 0.0
        figures = (
            f"{result.time:7.2f} s   {rate:5.1f} fps   "
            f"{1000 * result.latency:6.1f} ms   dropped {result.dropped}"
        )
        _write(bar, figures, (8, 44), 0.45, GREY)
        return bar

    def _chart(self) -> np.ndarray:
        height = 120
        chart = np.zeros((height, self.width, 3), np.uint8)
        scores = np.array(self._scores)
        step = self.width / (self.history - 1)
        x = np.arange(len(scores)) * step
        for i in np.flatnonzero(self._starts):
            cv2.line(chart, (round(x[i]), 0), (round(x[i]), height), GREY, 1)
        best = np.argsort(scores.max(axis=0))[::-1][:4]
        for row, c in enumerate(sorted(best)):
            colour = _colour(c)
            y = (1 - scores[:, c]) * (height - 3) + 1
            points = np.stack([x, y], axis=1).round().astype(np.int32)
            cv2.polylines(chart, [points], False, colour, 1, cv2.LINE_AA)
            _write(chart, self.labels[c], (8, 18 + 18 * row), 0.42, colour)
        return chart


def _colour(index: int) -> tuple[int, int, int]:
    """A light colour of its own for every class, BGR."""
    # Steps near the golden section keep neighbouring indices far apart in hue.
    hsv = np.array([[[111 * index % 180, 150, 255]]], np.uint8)
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _write(
    image: np.ndarray,
    text: str,
    at: tuple[int, int],
    size: float,
    colour: tuple[int, int, int],
) -> None:
    # OpenCV's fonts have no characters beyond ASCII.
    text = text.encode("ascii", "replace").decode()
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
