"""Watch four troubled cameras at once for as long as you like.

Usage::

    python tools/data/synthetic/render_stream.py --videos 1
    python tests/reliability/soak.py data/synthetic_streams/validation --minutes 30

A server plays the first video of the folder to every client, again and again. Now and
then it stalls, drops the connection, or goes on in another size or at another rate. The
shipped model watches four such cameras as one batch. Said every minute and at the end:

- memory;
- lag: from the server's clock, drawn into each frame as faint bars, to the result. No
  frame may come late; those that a busy reader skips are counted;
- gestures: of those played from before their start to after their end with no trouble,
  how many were found by name.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from hours_of_video import resident

from lcr_runtime import load_recognizer
from lcr_runtime.live import LiveSource
from lcr_runtime.shipped import shipped_file
from lcr_runtime.video import open_video

BITS, BAR, TICKS = 14, 4, 100  # the clock: 100 ticks a second, for 163 seconds
CAMERAS = 4
SIZES = (1.0, 0.75, 1.5)
RATES = (0.5, 1.0, 2.0)  # of the frames sent; time in the pictures stays true
MARGIN = 3.0  # seconds without trouble before a gesture


@dataclass
class Camera:
    """What a camera has done, on the server's clock.

    Attributes:
        troubles: When something went wrong.
        played: ``(start, end, label)`` of the gestures shown to their end.
    """

    troubles: list[float] = field(default_factory=list)
    played: list[tuple[float, float, str]] = field(default_factory=list)


def draw_clock(image: np.ndarray, now: float) -> np.ndarray:
    """Draw the time as bars, black and white, in the upper left corner."""
    ticks = int(now * TICKS) % (1 << BITS)
    image = image.copy()
    for bit in range(BITS):
        image[:BAR, bit * BAR : (bit + 1) * BAR] = 112 + 32 * (ticks >> bit & 1)
    return image


def read_clock(image: np.ndarray, now: float) -> float:
    """Seconds since the time that is drawn."""
    centres = image[BAR // 2, BAR // 2 : BITS * BAR : BAR].mean(axis=1)
    ticks = sum(int(value > 127) << bit for bit, value in enumerate(centres))
    return (int(now * TICKS) - ticks) % (1 << BITS) / TICKS


class Server(http.server.ThreadingHTTPServer):
    """Cameras ``/0``, ``/1`` ... that play a video."""

    daemon_threads = True

    def __init__(self, folder: Path, every: float, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Player)
        self.every, self.rng = every, random.Random(seed)
        timeline = min((folder / "timelines").glob("*.json"))
        with open_video(folder / "videos" / f"{timeline.stem}.mp4") as video:
            self.frames = [frame.image[..., ::-1] for frame in video]
        content = json.loads(timeline.read_text())
        self.fps, self.events = content["fps"], content["events"]
        self.cameras = [Camera() for _ in range(CAMERAS)]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Player(http.server.BaseHTTPRequestHandler):
    """Plays to one client, until a trouble ends the connection."""

    server: Server

    def do_GET(self) -> None:  # noqa: N802
        """Send JPEG pictures without end."""
        self.send_response(200)
        kind = "multipart/x-mixed-replace; boundary=frame"
        self.send_header("Content-Type", kind)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.play(self.server.cameras[int(self.path.strip("/"))])

    def play(self, camera: Camera) -> None:
        """Play the video in its time, with troubles."""
        server, rng = self.server, self.server.rng
        scale, rate = 1.0, 1.0
        camera.troubles.append(time.monotonic())
        while True:
            began = time.monotonic()
            trouble = began + rng.expovariate(1 / server.every)
            for number, frame in enumerate(server.frames):
                due = began + number / server.fps
                if rate < 1 and number % round(1 / rate):
                    continue
                time.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() > trouble:
                    camera.troubles.append(time.monotonic())
                    kind = rng.choice(["stall", "drop", "size", "rate"])
                    if kind == "drop":
                        return
                    if kind == "stall":
                        time.sleep(rng.uniform(1, 8))
                        camera.troubles.append(time.monotonic())
                        break  # from the start again
                    scale = rng.choice(SIZES) if kind == "size" else scale
                    rate = rng.choice(RATES) if kind == "rate" else rate
                    trouble = time.monotonic() + rng.expovariate(1 / server.every)
                for part in range(max(1, round(rate))):
                    time.sleep(part and max(0.0, 0.5 / server.fps))
                    self.send(frame, scale)
                for event in server.events:
                    if number == event["end_frame"] - 1:
                        start = began + event["start_frame"] / server.fps
                        now = time.monotonic()
                        camera.played.append((start, now, event["name"]))

    def send(self, image: np.ndarray, scale: float) -> None:
        """Send a picture with the time in it."""
        image = cv2.resize(image, None, fx=scale, fy=scale)
        data = cv2.imencode(".jpg", draw_clock(image, time.monotonic()))[1].tobytes()
        head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
        self.wfile.write(head + b"%d\r\n\r\n" % len(data) + data + b"\r\n")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def found_of(camera: Camera, seen: list[tuple[float, float, str]]) -> tuple[int, int]:
    """How many gestures were found, and how many could be: no trouble near them."""
    fair = [
        gesture
        for gesture in camera.played
        if not any(gesture[0] - MARGIN < t < gesture[1] + 1 for t in camera.troubles)
    ]
    found = sum(
        any(label == name and a < end + 1 and start < b for a, b, name in seen)
        for start, end, label in fair
    )
    return found, len(fair)


def soak(folder: Path, minutes: float, every: float, seed: int, engine: str) -> None:
    """Watch, and say how it went.

    Raises:
        SystemExit: Memory grew by a tenth after the first tenth of the time, or a frame
            came more than two seconds late.
    """
    server = Server(folder, every, seed)
    recognizer = load_recognizer(shipped_file(), engine, num_streams=CAMERAS)
    url = f"http://127.0.0.1:{server.server_port}"
    sources = [
        LiveSource(f"{url}/{i}", recognizer.fps, first_delay=0.1)
        for i in range(CAMERAS)
    ]
    began, lags, frames = time.monotonic(), [], 0
    seen: list[list[tuple[float, float, str]]] = [[] for _ in sources]
    at_first, next_line = 0.0, 60.0
    for results in recognizer.run_many(sources):
        now = time.monotonic()
        for result in filter(None, results):
            frames += 1
            lags.append(read_clock(result.image, now))
            for event in result.events:
                if event.phase == "end":
                    # Times of a live source count from its own start.
                    shift = now - result.time
                    span = event.start + shift, (event.end or result.time) + shift
                    seen[result.stream].append((*span, event.label))
        passed = now - began
        if not at_first and passed > 6 * minutes:
            at_first = resident()
        if passed < min(next_line, 60 * minutes):
            continue
        next_line += 60.0
        pairs = [found_of(x, y) for x, y in zip(server.cameras, seen, strict=True)]
        found, fair = (sum(column) for column in zip(*pairs, strict=True))
        late = np.quantile(lags, [0.5, 0.95, 1.0])
        print(
            f"{passed / 60:5.1f} min  {frames} frames, "
            f"{sum(x.dropped for x in sources)} dropped and counted, "
            f"{sum(x.reconnects for x in sources)} reconnections, "
            f"{sum(len(x.troubles) for x in server.cameras)} troubles; lag p50 "
            f"{late[0]:.2f} p95 {late[1]:.2f} most {late[2]:.2f} s; "
            f"{found} of {fair} gestures; {resident():.0f} MiB",
            flush=True,
        )
        if passed >= 60 * minutes:
            break
    for source in sources:
        source.close()
    if resident() > 1.1 * at_first:
        raise SystemExit(f"Memory grew from {at_first:.0f} to {resident():.0f} MiB.")
    if max(lags) > 2:
        raise SystemExit(f"A frame came {max(lags):.1f} s late.")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with videos/ and timelines/")
    parser.add_argument("--minutes", type=float, default=30.0, help="(30)")
    parser.add_argument(
        "--every", type=float, default=40.0, help="seconds between troubles (40)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the troubles (0)")
    parser.add_argument("--engine", default="auto", help="see lcr stream --help (auto)")
    args = parser.parse_args()
    soak(args.folder, args.minutes, args.every, args.seed, args.engine)


if __name__ == "__main__":
    main()
