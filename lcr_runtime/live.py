"""Cameras and network streams: the newest frame, never a late one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import cv2

from .capture import TIMEOUT, UrlCapture
from .frame_source import FrameSource
from .video import Frame, Thinner

logger = logging.getLogger("lcr_mmaction")

Capture = cv2.VideoCapture | UrlCapture


def open_capture(target: int | str) -> Capture:
    """Open a camera or URL; URLs fail after a few silent seconds."""
    return cv2.VideoCapture(target) if isinstance(target, int) else UrlCapture(target)


class LiveSource(FrameSource):
    """Frames of a camera or network stream, taken by a thread.

    The thread holds one frame, the newest: a reader that is too slow skips frames
    instead of lagging behind, and :attr:`dropped` counts them. A lost connection
    is sought again, at growing intervals.

    Args:
        target: Number of a camera, or URL.
        fps: Frames per second wanted; None takes all.
        max_attempts: Failed attempts in a row after which to give up; None never
            does.
        first_delay: Seconds before the second attempt; doubled each time.
        max_delay: Longest delay, in seconds.
        opener: Opens the target, as :func:`open_capture` does.
        capture: The target, where it is open already.
        patience: Seconds to wait for the first frame of all.

    Raises:
        ConnectionError: The target does not open at first; or, on reading, it gave no
            first frame, or was lost and ``max_attempts`` are used up, or its driver
            failed in a way that no further attempt mends.
    """

    def __init__(
        self,
        target: int | str,
        fps: float | None = None,
        max_attempts: int | None = None,
        first_delay: float = 0.5,
        max_delay: float = 30.0,
        opener: Callable[[int | str], Capture] = open_capture,
        capture: Capture | None = None,
        patience: float = 20.0,
    ) -> None:
        self.target = target
        self.fps = fps
        self.max_attempts = max_attempts
        self.first_delay, self.max_delay = first_delay, max_delay
        self.patience = patience
        self.reconnects = 0
        self._opener = opener
        self._thinner = Thinner(fps)
        self._slot: Frame | None = None
        self._filled = threading.Condition()
        self._stop = threading.Event()
        self._index = -1
        self._over = False  # the thread takes no more
        self._error: Exception | None = None  # what ended the thread
        capture = opener(target) if capture is None else capture
        if not capture.isOpened():
            capture.release()
            what = f"camera {target}" if isinstance(target, int) else target
            raise ConnectionError(f"cannot open {what}: is it there, and not in use?")
        self._started = time.monotonic()
        self._thread = threading.Thread(
            target=self._run, args=(capture,), name="capture", daemon=True
        )
        self._thread.start()

    def read(self, wait: bool = True) -> Frame | None:
        """Take the newest frame; see the class for errors."""
        with self._filled:
            if wait:
                self._filled.wait_for(self._is_told, self._time_left())
            silent = not self._is_told() and self._time_left() == 0
            frame, self._slot = self._slot, None
            # Only now: the last frame outlives the thread that took it.
            self.ended |= self._over and frame is None
        if silent:
            self.close()
            raise ConnectionError(
                f"{self.target} opens, but gave no frame for {self.patience:g} s: does "
                "it send pictures, in a codec that is known here?"
            )
        if self.ended and not self._stop.is_set():
            why = f"{self.max_attempts} attempts to reach it failed"
            if self._error is not None:
                why = f"{type(self._error).__name__}: {self._error}"
            raise ConnectionError(f"lost {self.target}: {why}") from self._error
        return frame

    def close(self) -> None:
        """Stop the thread and release the device."""
        self._stop.set()
        self._finish()
        self.ended = True
        if self._thread is not threading.current_thread():
            # A read that hangs in the driver ends at its own timeout; the thread
            # is a daemon and does not keep the program alive.
            self._thread.join(timeout=TIMEOUT + 1)

    def _is_told(self) -> bool:
        """Whether there is a frame, or none will come."""
        return self._slot is not None or self._over

    def _time_left(self) -> float | None:
        """Seconds until the first frame is overdue; None once there was one."""
        if self._index >= 0:
            return None
        return max(0.0, self._started + self.patience - time.monotonic())

    def _finish(self) -> None:
        with self._filled:
            self._over = True
            self._slot = None if self._stop.is_set() else self._slot
            self._filled.notify_all()

    def _run(self, capture: Capture) -> None:
        try:
            self._capture_all(capture)
        except Exception as error:
            self._error = error
        finally:
            self._finish()  # else a reader would wait for ever

    def _capture_all(self, capture: Capture) -> None:
        attempts, delay = 0, self.first_delay
        try:
            while not self._stop.is_set():
                if capture.isOpened() and self._read_until_lost(capture):
                    attempts, delay = 0, self.first_delay
                capture.release()
                if attempts == self.max_attempts or self._stop.is_set():
                    break
                attempts += 1
                logger.warning(
                    "lost %s, attempt %d in %.1f s", self.target, attempts, delay
                )
                if self._stop.wait(delay):
                    break
                delay = min(2 * delay, self.max_delay)
                try:
                    capture = self._opener(self.target)
                except cv2.error as error:
                    logger.warning("opening %s: %s", self.target, error)
                    continue  # the old capture is released: a failed attempt
                self.reconnects += capture.isOpened()
        finally:
            capture.release()

    def _read_until_lost(self, capture: Capture) -> bool:
        """Fill the slot until a read fails; return whether any succeeded."""
        any_read = False
        while not self._stop.is_set():
            try:
                ok, image = capture.read()
            except cv2.error as error:
                logger.warning("reading %s: %s", self.target, error)
                break
            if not ok or image is None:
                break
            any_read = True
            self._index += 1
            now = time.monotonic() - self._started
            if self._thinner.due(now):
                self._put(Frame(image, now, self._index))
        return any_read

    def _put(self, frame: Frame) -> None:
        with self._filled:
            self.dropped += self._slot is not None
            self._slot = frame
            self._filled.notify()
