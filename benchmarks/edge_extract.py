"""Cost of EdgeExtract and TubeMask beside decoding and resizing, on one core.

Usage::

    python benchmarks/edge_extract.py [VIDEO ...]

Prints, for 112 and 224 pixels, milliseconds per 16-frame clip of the stock
``DecordInit``/``SampleFrames``/``DecordDecode``/``Resize`` pipeline and of each
edge method after it. All are timed in turn in one loop, the median is shown, so
the ratio is fair on a busy machine. Without arguments it encodes a noisy moving
pattern of 176 x 100 pixels at 12 frames per second, the format of Jester's clips.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

import lcr_mmaction  # noqa: F401  (registers the transforms)
from lcr_mmaction.transforms import EDGE_METHODS, EdgeExtract, TubeMask

CLIP_LEN = 16


def write_pattern(path: str, num_frames: int = 37) -> None:
    """Encode a blurred noise pattern that moves, with sensor noise on top."""
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 256, (100, 176, 3), dtype=np.uint8)
    pattern = cv2.normalize(
        cv2.GaussianBlur(pattern, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX
    )
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 176, 100, "yuv420p"
        for shift in range(num_frames):
            noise = rng.normal(0, 3, pattern.shape)
            frame = np.clip(np.roll(pattern, 2 * shift, 1) + noise, 0, 255)
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(frame.astype(np.uint8), format="rgb24")
                )
            )
        container.mux(stream.encode(None))


def milliseconds(
    functions: dict[str, Callable[[], object]], repeats: int
) -> dict[str, float]:
    """Return the median time of each function, all run in turn."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def measure(video: str, size: int, repeats: int) -> None:
    """Print one table."""
    decode = Compose(
        [
            TRANSFORMS.build(step)
            for step in (
                dict(type="DecordInit", num_threads=1),
                dict(type="SampleFrames", clip_len=CLIP_LEN, frame_interval=2),
                dict(type="DecordDecode"),
                dict(type="Resize", scale=(size, size), keep_ratio=False),
            )
        ]
    )

    def load() -> dict:
        return decode(dict(filename=video, start_index=0, modality="RGB"))

    clip = load()
    clip["imgs"] = [np.ascontiguousarray(frame) for frame in clip["imgs"]]
    edges = {method: EdgeExtract(method) for method in EDGE_METHODS}
    mask, with_edges = TubeMask(0.75), EdgeExtract()(dict(clip))
    functions = {"decode + resize": load}
    for method, transform in edges.items():
        functions[f"EdgeExtract {method}"] = lambda t=transform: t(dict(clip))
    functions["TubeMask 0.75"] = lambda: mask(dict(with_edges))
    times = milliseconds(functions, repeats)
    base = times["decode + resize"]
    print(f"{Path(video).name}, {CLIP_LEN} frames at {size} x {size}")
    for name, value in times.items():
        print(f"  {name:24} {value:8.2f} ms  {100 * value / base:6.1f} %")


def main() -> None:
    """Measure every video at both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="*")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        videos = args.videos
        if not videos:
            videos = [str(Path(folder) / "pattern.mp4")]
            write_pattern(videos[0])
        for video in videos:
            for size in (112, 224):
                measure(video, size, args.repeats)


if __name__ == "__main__":
    main()
