"""What a clip costs to read with each decoder, on one core.

    python benchmarks/decoders.py VIDEO [VIDEO ...]

CPU milliseconds of opening a file and decoding 16 frames spread over it, with the
project's reader and with MMAction2's own transforms. All take turns, and the median is
shown. A decoder that cannot read a file, or not rightly, has a dash.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import cv2
from edge_extract import milliseconds
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from shared.measuring import markdown

import lcr_mmaction  # noqa: F401  (registers the transforms)
from lcr_runtime.video import DECODERS

CLIP_LEN = 16


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


def measure(path: str, pipelines: dict[str, Compose], repeats: int) -> list[str]:
    """One column of the table."""

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


def main() -> None:
    """Measure every file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    pipelines = readers()
    columns = [measure(path, pipelines, args.repeats) for path in args.videos]
    rows = list(zip(pipelines, *columns, strict=True))
    print(markdown(["reader", *(Path(path).name for path in args.videos)], rows))


if __name__ == "__main__":
    main()
