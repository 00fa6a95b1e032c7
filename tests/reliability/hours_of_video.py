"""Put hours of video time through one stream, and compare its end with a fresh start.

Usage::

    python tests/reliability/hours_of_video.py --hours 6 --seed 0

A made-up camera changes its rate (7 to 60 frames a second) and its picture's size,
stops for up to two minutes and comes back, drops frames, goes dark; every few minutes
another of these. The last minute is read twice: by the recognizer that has seen it all,
and by a new one. Logits, scores and events must be the same bits, and memory must not
grow.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from itertools import chain

import cv2
import numpy as np

from lcr_runtime import StreamRecognizer, load_recognizer
from lcr_runtime.shipped import shipped_file
from lcr_runtime.video import Frame, Thinner

RATES = (7, 12, 15, 24, 25, 30, 60)
SIZES = ((240, 320), (480, 640), (90, 160), (320, 180), (241, 319))
MINUTE = 60.0


def picture(rng: np.random.Generator, size: tuple[int, int], now: float) -> np.ndarray:
    """A bright square on its way through noise, or now and then the dark."""
    height, width = size
    coarse = rng.integers(0, 90, (9, 16, 3), np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    if int(now / 20) % 7 == 6:
        return np.zeros_like(image)
    side = height // 4
    x = int((np.sin(now) + 1) / 2 * (width - side))
    y = int((np.cos(0.7 * now) + 1) / 2 * (height - side))
    image[y : y + side, x : x + side] = 220
    return image


def camera(seed: int, start: float, end: float, fps: float) -> Iterator[Frame]:
    """Frames of a troubled camera that are due at the model's rate."""
    rng = np.random.default_rng(seed)
    thinner = Thinner(fps)
    now, index = start, 0
    while now < end:
        rate, size = int(rng.choice(RATES)), SIZES[rng.integers(len(SIZES))]
        lost, until = rng.choice([0, 0, 0.3]), now + rng.uniform(5, 300)
        while now < min(until, end):
            if rng.random() >= lost and thinner.due(now):
                yield Frame(picture(rng, size, now), now, index)
            now, index = now + 1 / rate, index + 1
        now += rng.choice([0, 0.5, 5, 120])


def follow(recognizer: StreamRecognizer, frames: Iterator[Frame]) -> list[tuple]:
    """What a recognizer says of frames, in bits."""
    said = []
    for frame in frames:
        result = recognizer.update(frame.image, frame.time)
        events = [(x.phase, x.label, x.start, x.confidence) for x in result.events]
        said.append((result.logits.tobytes(), result.scores.tobytes(), events))
    return said


def resident() -> float:
    """Memory of this process, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def last_minute_is_fresh(hours: float, seed: int, engine: str = "auto") -> bool:
    """Read hours and then a minute; whether a new recognizer says the same of that.

    The new one starts where the old one's first state starts anew; what a state of the
    old one may still know from before is left out: two periods.
    """
    recognizer = load_recognizer(shipped_file(), engine)
    fps, period = recognizer.fps, recognizer.policy.period
    assert fps is not None
    began, step = time.perf_counter(), max(hours * 300, 1)
    next_line = step
    for count, frame in enumerate(camera(seed, 0.0, hours * 3600, fps), 1):
        recognizer.update(frame.image, frame.time)
        if frame.time >= next_line:
            next_line = (frame.time // step + 1) * step
            print(
                f"{frame.time / 3600:6.2f} h  {count:7} frames read  "
                f"{time.perf_counter() - began:6.0f} s  {resident():5.0f} MiB",
                flush=True,
            )
    # The next frame comes where the first state starts anew, as a fresh one does.
    now = recognizer.policy.last[0]
    start = frame.time + ((now // period + 2) * period - now) / fps
    fresh = recognizer.fork()
    end = start + MINUTE + 2 * period / fps
    first = Frame(picture(np.random.default_rng(0), SIZES[0], start), start, 0)
    old, new = (
        follow(x, chain([first], camera(seed + 1, start + 1 / fps, end, fps)))
        for x in (recognizer, fresh)
    )
    return old[2 * period :] == new[2 * period :]


def main() -> None:
    """Say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=6.0, help="of video time (6)")
    parser.add_argument("--seed", type=int, default=0, help="of the camera (0)")
    parser.add_argument("--engine", default="auto", help="see lcr stream --help (auto)")
    args = parser.parse_args()
    if not last_minute_is_fresh(args.hours, args.seed, args.engine):
        raise SystemExit("The last minute differs from a fresh start.")
    print("The last minute: the same bits as from a fresh start.")


if __name__ == "__main__":
    main()
