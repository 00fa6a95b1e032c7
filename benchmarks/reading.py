"""What a clip of a video costs before it reaches the model, on one core.

    python benchmarks/reading.py [VIDEO_OR_FRAME_FOLDER ...]

1. Readers: CPU milliseconds of opening a video and decoding 16 frames spread over it,
   with the project's reader and with MMAction2's own transforms. One that cannot read a
   file, or not rightly, has a dash.
2. Transforms: what every edge method and a tube mask add to decoding and resizing, at
   112 and 224 pixels.

All take turns, and the median is shown: the ratios are fair on a busy machine. Without
arguments the files are a noisy moving pattern of 176 x 100 pixels, the size of Jester's
frames, as an H.264 video and as JPEGs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from shared.measuring import markdown

import lcr_mmaction  # noqa: F401  (registers the transforms)
from lcr_mmaction.transforms import EDGE_METHODS, EdgeExtract, TubeMask
from lcr_runtime.video import DECODERS

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


def readers() -> dict[str, Compose]:
    """Pipelines that read a clip, by what the table calls them."""
    sample = dict(type="UniformSample", clip_len=CLIP_LEN, test_mode=True)
    pairs = {
        f"`VideoInit`, {name}": (
            dict(type="VideoInit", decoder=name),
            dict(type="VideoDecode"),
        )
        for name in DECODERS
    }
    for name in ("Decord", "PyAV", "OpenCV"):
        stock = dict(type=f"{name}Init"), dict(type=f"{name}Decode")
        pairs[f"stock `{name}Init`"] = stock
    return {
        title: Compose([TRANSFORMS.build(step) for step in (init, sample, decode)])
        for title, (init, decode) in pairs.items()
    }


def read_with_each(path: str, pipelines: dict[str, Compose], repeats: int) -> list[str]:
    """One column of the readers' table."""

    def read(pipeline: Compose) -> None:
        pipeline(dict(filename=path, start_index=0, modality="RGB"))

    calls = {}
    for title, pipeline in pipelines.items():
        try:
            read(pipeline)
        except Exception as error:  # each decoder has errors of its own
            print(f"{path}, {title}: {str(error).splitlines()[0]}")
        else:
            calls[title] = partial(read, pipeline)
    times = milliseconds(calls, repeats)
    return [f"{times[title]:.1f}" if title in times else "-" for title in pipelines]


def transforms_after(source: str, size: int, repeats: int) -> list[tuple]:
    """Rows of one source at one size: what is done, milliseconds, share."""
    load = reader(source, size)
    clip = load()
    clip["imgs"] = [np.ascontiguousarray(frame) for frame in clip["imgs"]]
    mask, with_edges = TubeMask(0.75), EdgeExtract()(dict(clip))
    functions = {"decode + resize": load}
    for method in EDGE_METHODS:
        transform = EdgeExtract(method)
        functions[f"`{method}`"] = lambda t=transform: t(dict(clip))
    functions["`TubeMask` 0.75"] = lambda: mask(dict(with_edges))
    times = milliseconds(functions, repeats)
    base = times["decode + resize"]
    name = f"{Path(source).name}, {size}"
    return [(name, f, t, f"{100 * t / base:.0f} %") for f, t in times.items()]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        sources = args.sources or write_pattern(Path(folder))
        videos = [source for source in sources if not Path(source).is_dir()]
        pipelines = readers()
        columns = [read_with_each(video, pipelines, args.repeats) for video in videos]
        rows = list(zip(pipelines, *columns, strict=True))
        print(markdown(["reader, ms", *(Path(video).name for video in videos)], rows))
        rows = [
            row
            for source in sources
            for size in (112, 224)
            for row in transforms_after(source, size, args.repeats)
        ]
        print("\n" + markdown(["source, size", "16 frames", "ms", "share"], rows))


if __name__ == "__main__":
    main()
