"""Cost of EdgeExtract and TubeMask beside decoding and resizing, on one core.

Usage::

    python benchmarks/edge_extract.py [VIDEO_OR_FRAME_FOLDER ...]

Prints, for 112 and 224 pixels, CPU milliseconds per 16-frame clip of the stock
transforms that decode (PyAV for videos, OpenCV for JPEG frames) and resize, and
of each edge method after them. All are timed in turn in one loop, the median is
shown, so the ratio is fair on a busy machine. Without arguments it writes a noisy
moving pattern of 176 x 100 pixels, the size of Jester's frames, as an H.264 video
and as JPEGs.
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


def write_pattern(folder: Path, num_frames: int = 37) -> list[str]:
    """Write a blurred noise pattern that moves, with sensor noise on top."""
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 256, (100, 176, 3), dtype=np.uint8)
    pattern = cv2.GaussianBlur(pattern, (0, 0), 4)
    pattern = cv2.normalize(pattern, None, 0, 255, cv2.NORM_MINMAX)
    video, jpegs = folder / "pattern.mp4", folder / "pattern_jpegs"
    jpegs.mkdir()
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 176, 100, "yuv420p"
        for step in range(num_frames):
            noisy = np.roll(pattern, 2 * step, 1) + rng.normal(0, 3, pattern.shape)
            frame = np.clip(noisy, 0, 255).astype(np.uint8)
            cv2.imwrite(str(jpegs / f"{step + 1:05}.jpg"), frame)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24"))
            )
        container.mux(stream.encode(None))
    return [str(video), str(jpegs)]


def reader(source: str, size: int) -> Callable[[], dict]:
    """Return a function that decodes and resizes one clip."""
    sample = dict(type="SampleFrames", clip_len=CLIP_LEN, frame_interval=2)
    resize = dict(type="Resize", scale=(size, size), keep_ratio=False)
    if Path(source).is_dir():
        steps = [sample, dict(type="RawFrameDecode"), resize]
        given = dict(
            frame_dir=source,
            filename_tmpl="{:05}.jpg",
            total_frames=len(list(Path(source).glob("*.jpg"))),
            start_index=1,
        )
    else:
        steps = [dict(type="VideoInit"), sample, dict(type="VideoDecode"), resize]
        given = dict(filename=source, start_index=0)
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    return lambda: pipeline(dict(given, modality="RGB"))


def milliseconds(
    functions: dict[str, Callable[[], object]], repeats: int
) -> dict[str, float]:
    """Return the median CPU time of each function, all run in turn."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.process_time()
            function()
            times[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def measure(source: str, size: int, repeats: int) -> None:
    """Print one table."""
    load = reader(source, size)
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
    print(f"{Path(source).name}, {CLIP_LEN} frames at {size} x {size}")
    for name, value in times.items():
        print(f"  {name:24} {value:8.2f} ms  {100 * value / base:6.1f} %")


def main() -> None:
    """Measure every source at both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for source in args.sources or write_pattern(Path(folder)):
            for size in (112, 224):
                measure(source, size, args.repeats)


if __name__ == "__main__":
    main()
