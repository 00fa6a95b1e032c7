"""Recognise gestures while a camera, network stream or video file runs.

Examples:
    python demo/stream_demo.py CONFIG CHECKPOINT 0 --show
    python demo/stream_demo.py CONFIG CHECKPOINT rtsp://camera/stream --events -
    python demo/stream_demo.py CONFIG CHECKPOINT video.mp4 --out annotated.mp4
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
import itertools
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, redirect_stdout
from os.path import isfile
from typing import TextIO

import cv2
import numpy as np
from mmengine.logging import MMLogger

from lcr_mmaction.command_line import (
    add_label_file,
    model_parser,
    output_file,
    positive,
)
from lcr_mmaction.streaming import (
    POLICIES,
    GestureEvent,
    StreamingRecognizer,
    open_source,
)
from lcr_runtime.overlay import Overlay
from lcr_runtime.video.writer import VideoWriter


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__)
    parser.add_argument(
        "source", help="number of a camera, URL (rtsp://, http://) or video file"
    )
    parser.add_argument(
        "--out", type=output_file(".mp4"), help="write an annotated mp4 here"
    )
    parser.add_argument("--show", action="store_true", help="open a window; q quits")
    parser.add_argument(
        "--events",
        type=lambda text: text if text == "-" else output_file()(text),
        help="write events here, one JSON object a line; - is stdout",
    )
    parser.add_argument("--device", default="cpu")
    add_label_file(parser)
    parser.add_argument("--policy", help=f"one of {', '.join(POLICIES)}")
    parser.add_argument(
        "--fps", type=positive(float), help="frames per second for the model"
    )
    parser.add_argument(
        "--max-frames", type=positive(int), help="stop after so many frames"
    )
    args = parser.parse_args()
    if not (args.source.isdigit() or "://" in args.source or isfile(args.source)):
        parser.error(f"no video file at {args.source}")
    if args.show and not has_display():
        parser.error("--show needs a display: use --out or --events instead")
    return args


def has_display() -> bool:
    """Whether a window can be opened."""
    linux = sys.platform.startswith("linux")
    return not linux or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


class Window:
    """A window that shows a video no faster than it was filmed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()

    def show(self, image: np.ndarray, at: float) -> bool:
        """Show a frame that is due ``at`` seconds; return False to quit."""
        cv2.imshow(self.name, image)
        early = at - (time.monotonic() - self.began)
        return cv2.waitKey(max(1, round(1000 * early))) not in (ord("q"), 27)

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()


def open_events(path: str | None, stack: ExitStack) -> TextIO | None:
    """Open the file for events."""
    if path == "-":
        return sys.stdout
    return path and stack.enter_context(open(path, "w", encoding="utf-8"))


def summarise(rows: list[tuple[float, int]], events: int) -> str:
    """One line about ``(latency, dropped)`` of all frames."""
    if not rows:
        return "no frames"
    latency = 1000 * np.array([row[0] for row in rows])
    p50, p95 = np.percentile(latency, [50, 95])
    return (
        f"{len(rows)} frames, {rows[-1][1]} dropped, {events} gestures, "
        f"latency p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    )


def main() -> None:
    """Run the demo."""
    args = parse_args()
    # SIGTERM ends like Ctrl-C: files are finished, devices released.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Frames are small: OpenCV's threads cost more than they save, and PyTorch's
    # want the cores.
    cv2.setNumThreads(1)
    # Loading prints and logs to stdout, which belongs to the events.
    for handler in MMLogger.get_current_instance().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stderr)
    with redirect_stdout(sys.stderr):
        recognizer = StreamingRecognizer(
            args.config,
            args.checkpoint,
            args.device,
            labels=args.label_file,
            policy=args.policy,
            fps=args.fps,
        )
    target = int(args.source) if args.source.isdigit() else args.source
    rows: list[tuple[float, int]] = []
    num_events = 0
    with ExitStack() as stack:
        try:
            source = open_source(target, recognizer.fps)
        except (OSError, ValueError) as error:
            raise SystemExit(f"stream_demo: {error}") from error
        stack.callback(source.close)
        events = open_events(args.events, stack)
        window = stack.enter_context(closing(Window("LCR"))) if args.show else None
        video = None
        if args.out:
            video = stack.enter_context(VideoWriter(args.out, source.fps or 15.0))
        overlay = Overlay(recognizer.labels) if window or video else None
        results = stack.enter_context(closing(recognizer.run(source)))
        try:
            for result in itertools.islice(results, args.max_frames):
                rows.append((result.latency, result.dropped))
                num_events += report(result.events, events)
                if overlay is None:
                    continue
                image = overlay.draw(result)
                if video:
                    video.write(image)
                if window and not window.show(image, result.time):
                    break
        except KeyboardInterrupt:
            pass
        except ConnectionError as error:
            print(f"stream_demo: {error}", file=sys.stderr)
        report(recognizer.finish()[0], events)
    print(summarise(rows, num_events), file=sys.stderr)


def report(events: Sequence[GestureEvent], file: TextIO | None) -> int:
    """Write events at once; return how many gestures started."""
    for event in events:
        if file:
            print(json.dumps(event.as_dict()), file=file, flush=True)
    return sum(event.phase == "start" for event in events)


if __name__ == "__main__":
    main()
