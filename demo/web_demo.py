"""Recognise gestures in the browser, from its webcam or a video file.

    python demo/web_demo.py CONFIG CHECKPOINT

Then open http://127.0.0.1:7860. All visitors share the weights, none the state.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

from lcr_mmaction.command_line import add_label_file, model_parser, positive
from lcr_mmaction.streaming import GestureEvent, StreamingRecognizer, StreamResult
from lcr_runtime.overlay import Overlay

DEFAULT_FPS = 10.0
COLUMNS = ["gesture", "start (s)", "end (s)", "confidence"]
ROWS = 20

# What a page shows: picture, scores by label, current gesture, table of events.
View = tuple[np.ndarray, dict[str, float], str, list[list]]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__)
    parser.add_argument("--device", default="cpu")
    add_label_file(parser)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for the network")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--visitors", type=positive(int), default=4, help="cameras at the same time"
    )
    return parser.parse_args()


class Visitor:
    """One visitor's stream: its state, its drawing and its events.

    Args:
        shared: Lends its weights and settings, and is not changed.
        channel_order: ``'rgb'`` for pictures of a browser, ``'bgr'`` for files.
    """

    def __init__(self, shared: StreamingRecognizer, channel_order: str) -> None:
        self.recognizer = shared.fork(channel_order)
        self.restart()

    def restart(self) -> None:
        """Forget all frames and events."""
        self.recognizer.reset()
        self.overlay = Overlay(
            self.recognizer.labels, self.recognizer.channel_order, width=480
        )
        self.table: dict[float, list] = {}
        self.began: float | None = None

    def see(self, image: np.ndarray) -> View:
        """Read the camera's next frame, ``H x W x 3`` uint8."""
        now = time.monotonic()
        self.began = now if self.began is None else self.began
        return self.show(self.recognizer.update(image, now - self.began))

    def watch(self, path: str) -> Iterator[View]:
        """Read a video file, no faster than it was filmed."""
        began = time.monotonic()
        shown = None
        for result in self.recognizer.run(path):
            shown = self.show(result)
            time.sleep(max(0.0, began + result.time - time.monotonic()))
            yield shown
        if shown is not None:
            self.note(self.recognizer.finish()[0])
            yield (*shown[:2], "", list(self.table.values()))

    def show(self, result: StreamResult) -> View:
        """Draw a result and note its events."""
        self.note(result.events)
        picture = cv2.cvtColor(self.overlay.draw(result), cv2.COLOR_BGR2RGB)
        scores = dict(zip(self.recognizer.labels, result.scores.tolist(), strict=True))
        gesture = result.gesture.label if result.gesture else ""
        return picture, scores, gesture, list(self.table.values())

    def note(self, events: tuple[GestureEvent, ...] | list[GestureEvent]) -> None:
        """Write events into the table, the last ones; an end updates its start."""
        for event in events:
            end = "" if event.end is None else round(event.end, 2)
            confidence = round(event.confidence, 3)
            row = [event.label, round(event.start, 2), end, confidence]
            self.table[event.detected] = row
            if len(self.table) > ROWS:
                self.table.pop(next(iter(self.table)))


def build(shared: StreamingRecognizer, visitors: int) -> gr.Blocks:
    """Make the page.

    Args:
        shared: Of one stream.
        visitors: Cameras served at the same time.
    """

    def see(image: np.ndarray | None, visitor: Visitor) -> View | dict:
        return gr.skip() if image is None else visitor.see(image)

    def watch(path: str | None) -> Iterator[View]:
        if path is None:
            return
        try:
            yield from Visitor(shared, "bgr").watch(path)
        except (OSError, ValueError) as error:
            # Without the place on the server.
            raise gr.Error(str(error).replace(path, Path(path).name)) from error

    with gr.Blocks(title="LCR", analytics_enabled=False) as page:
        # Called anew for every visitor.
        visitor = gr.State(lambda: Visitor(shared, "rgb"))
        with gr.Row():
            with gr.Column():
                camera = gr.Image(
                    sources="webcam", streaming=True, label="Webcam", height=240
                )
                file = gr.Video(sources="upload", label="Video file", height=240)
                again = gr.Button("Start the camera's stream anew")
            with gr.Column():
                picture = gr.Image(label="Seen", format="jpeg", interactive=False)
                gesture = gr.Textbox(label="Current gesture")
                scores = gr.Label(label="Scores", num_top_classes=5)
        table = gr.Dataframe(headers=COLUMNS, label="Events", interactive=False)
        view = [picture, scores, gesture, table]
        camera.stream(
            see,
            [camera, visitor],
            view,
            stream_every=1 / (shared.fps or DEFAULT_FPS),
            concurrency_limit=visitors,
            show_progress="hidden",
        )
        file.upload(watch, file, view, concurrency_limit=visitors)
        again.click(Visitor.restart, visitor)
    return page


def main() -> None:
    """Serve the page until Ctrl-C."""
    args = parse_args()
    cv2.setNumThreads(1)  # small frames: its threads cost more than they save
    shared = StreamingRecognizer(
        args.config, args.checkpoint, args.device, labels=args.label_file
    )
    build(shared, args.visitors).launch(server_name=args.host, server_port=args.port)


if __name__ == "__main__":
    main()
