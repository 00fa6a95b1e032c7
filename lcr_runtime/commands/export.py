"""Write a trained model as one ONNX file that runs without PyTorch.

The file holds the step that reads one frame, and all a stream needs to know: labels,
frame rate, policy, thresholds, transforms. It is run in ONNX Runtime against PyTorch
before it is kept. Needs PyTorch, MMAction2, onnx and onnxscript.

Examples:
  lcr export configs/lcr_jester.py checkpoint.pth model.onnx
  lcr export CONFIG CHECKPOINT model.onnx --video clip.mp4 --label-file classes.txt
  lcr export shipped shipped model.onnx
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from ..arguments import input_file, output_file, positive
from ..shipped import SHIPPED
from ..video import open_video


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    kind = _file_or_shipped
    parser.add_argument("config", type=kind, help=f"LCR config file, or {SHIPPED!r}")
    parser.add_argument("checkpoint", type=kind, help=f"its weights, or {SHIPPED!r}")
    parser.add_argument("out", type=output_file(".onnx"), help="file to write")
    parser.add_argument(
        "--label-file", type=input_file, help="names of the classes, one a line"
    )
    parser.add_argument(
        "--video", type=input_file, help="video to check on; moving noise without one"
    )
    parser.add_argument(
        "--frames", type=positive(int), default=100, help="frames to check on"
    )
    parser.add_argument(
        "--tolerance",
        type=positive(float),
        default=1e-4,
        help="largest difference of a logit that is allowed",
    )


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    try:
        from lcr_mmaction.deployment.export import export_checked
    except ImportError as error:
        raise ImportError(
            "export needs PyTorch and MMAction2: pip install 'lcr-mmaction[export]' "
            f"({error})"
        ) from error
    frames = _frames(args.video, args.frames)
    report = export_checked(
        args.config,
        args.checkpoint,
        args.out,
        frames,
        labels=args.label_file,
        tolerance=args.tolerance,
    )
    size = args.out.stat().st_size / 2**20
    print(f"{args.out}: {size:.2f} MiB, {report.nodes} operators")
    print(
        f"{len(frames)} frames: largest difference of a logit from PyTorch "
        f"{report.difference:.1e} of {report.span:.1f}, same class {report.agreed:.1%}"
    )


def _file_or_shipped(text: str) -> str:
    return text if text == SHIPPED or "://" in text else str(input_file(text))


def _frames(video: Path | None, count: int) -> list[np.ndarray]:
    """BGR frames: a video, over again if short, or drifting blobs."""
    if video is None:
        return drifting_blobs(count)
    with open_video(video) as reader:
        frames = [frame.image for frame in itertools.islice(reader.frames(), count)]
    return list(itertools.islice(itertools.cycle(frames), count))


def drifting_blobs(count: int, height: int = 480, width: int = 640) -> list[np.ndarray]:
    """BGR frames of coloured blobs that drift, with edges to find."""
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    blobs = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return [np.roll(blobs, (2 * t, 5 * t), (0, 1)) for t in range(count)]
