"""Recognise gestures while a camera, network stream or video file runs.

Examples:
  lcr stream 0 --show
  lcr stream rtsp://camera/stream --events -
  lcr stream video.mp4 --out seen.mp4 --events events.jsonl
  lcr stream video.mp4 --model model.onnx --engine openvino --precision bf16
  lcr stream video.mp4 --model CONFIG.py --checkpoint CHECKPOINT
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, redirect_stdout
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from ..arguments import input_file, output_file, positive
from ..events import GestureEvent
from ..overlay import Overlay
from ..policies import POLICIES
from ..sources import open_source
from ..text import read_label_map
from ..video.writer import VideoWriter
from .models import add_model, load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument(
        "source",
        type=_source,
        help="number of a camera, URL (rtsp://, http://) or video file",
    )
    add_model(parser)
    parser.add_argument(
        "--checkpoint", type=input_file, help="weights, where --model is a config"
    )
    parser.add_argument("--device", default="cpu", help="of engine torch")
    parser.add_argument(
        "--out", type=output_file(".mp4"), help="write an annotated mp4 here"
    )
    parser.add_argument("--show", action="store_true", help="open a window; q quits")
    parser.add_argument(
        "--events",
        type=lambda text: text if text == "-" else output_file()(text),
        help="write events here, one JSON object a line; - is stdout",
    )
    parser.add_argument(
        "--label-file", type=input_file, help="names of the classes, one a line"
    )
    parser.add_argument("--policy", choices=POLICIES, help="default: the model's")
    parser.add_argument(
        "--fps", type=positive(float), help="frames a second; default: the model's"
    )
    parser.add_argument(
        "--max-frames", type=positive(int), help="stop after so many frames"
    )


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    if args.show:
        _check_window()
    # SIGTERM ends like Ctrl-C: files are finished, devices released.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Frames are small: OpenCV's threads cost more than they save.
    cv2.setNumThreads(1)
    # Loading may print; stdout belongs to the events.
    with redirect_stdout(sys.stderr):
        recognizer = load_model(
            args,
            labels=args.label_file and read_label_map(args.label_file),
            policy=args.policy,
            fps=args.fps,
        )
    rows: list[tuple[float, int]] = []
    num_events = 0
    with ExitStack() as stack:
        source = stack.enter_context(open_source(args.source, recognizer.fps))
        events = _open_events(args.events, stack)
        window = stack.enter_context(closing(Window("LCR"))) if args.show else None
        video = None
        if args.out:
            video = stack.enter_context(VideoWriter(args.out, source.fps or 15.0))
        overlay = Overlay(recognizer.labels) if window or video else None
        results = stack.enter_context(closing(recognizer.run(source)))
        try:
            for result in itertools.islice(results, args.max_frames):
                rows.append((result.latency, result.dropped))
                num_events += _report(result.events, events, args.events)
                if overlay is None:
                    continue
                image = overlay.draw(result)
                if video:
                    video.write(image)
                if window and not window.show(image, result.time):
                    break
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Whoever read the events has gone; no source has failed.
            raise
        except ConnectionError as error:
            print(f"lcr stream: {error}", file=sys.stderr)
        _report(recognizer.finish()[0], events, args.events)
    engine = recognizer.engine
    print(
        f"{_summary(rows, num_events)} ({engine.name}, {engine.precision})",
        file=sys.stderr,
    )


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


def _source(text: str) -> int | str:
    if text.isdigit():
        return int(text)
    if "://" not in text and not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no video file at {text}")
    return text


def _check_window() -> None:
    linux = sys.platform.startswith("linux")
    if linux and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        raise OSError("--show needs a display: use --out or --events instead")
    if "GUI:                           NONE" in cv2.getBuildInformation():
        raise OSError(
            "--show needs an OpenCV with windows, and this one is headless: "
            "pip install opencv-python, or use --out"
        )


def _open_events(path: str | None, stack: ExitStack) -> TextIO:
    """Open the file for events; without one they are told on stdout."""
    if path in (None, "-"):
        return sys.stdout
    return stack.enter_context(open(str(path), "w", encoding="utf-8"))


def _report(events: Sequence[GestureEvent], file: TextIO, asked_for: str | None) -> int:
    """Write events at once; return how many gestures started."""
    for event in events:
        if asked_for:
            print(json.dumps(event.as_dict()), file=file, flush=True)
        else:
            at = event.start if event.end is None else event.end
            line = f"{at:8.2f} s  {event.phase:<5}  {event.label}"
            print(f"{line}  {event.confidence:.2f}", file=file, flush=True)
    return sum(event.phase == "start" for event in events)


def _summary(rows: list[tuple[float, int]], events: int) -> str:
    """One line about ``(latency, dropped)`` of all frames."""
    if not rows:
        return "no frames"
    latency = 1000 * np.array([row[0] for row in rows])
    p50, p95 = np.percentile(latency, [50, 95])
    return (
        f"{len(rows)} frames, {rows[-1][1]} dropped, {events} gestures, "
        f"latency p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    )
