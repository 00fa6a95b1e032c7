"""Classify a video and draw the predicted classes under its frames.

What is written depends on the name: ``.mp4`` a video, ``.gif`` an animation, ``.png`` a
strip of frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from mmaction.apis import MMAction2Inferencer
from PIL import Image

from lcr_mmaction.command_line import (
    add_label_file,
    input_file,
    model_parser,
    output_file,
    positive,
)

# Registers the plugin before the config is read.
from lcr_mmaction.config_files import read_config
from lcr_runtime.labels import find_labels
from lcr_runtime.video import open_video
from lcr_runtime.video.writer import VideoWriter

FORMATS = (".mp4", ".gif", ".png")
MIN_WIDTH = 300
LINE = 26
MARGIN = 8
INK, PAPER, BAR = (30, 30, 30), (255, 255, 255), (255, 214, 140)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__)
    parser.add_argument("video", type=input_file, help="video to classify")
    parser.add_argument(
        "out", type=output_file(*FORMATS), help=f"file to write: {', '.join(FORMATS)}"
    )
    add_label_file(parser)
    parser.add_argument(
        "--top-k", type=positive(int), default=3, help="classes to show"
    )
    parser.add_argument(
        "--frames", type=positive(int), default=6, help="frames of a strip"
    )
    parser.add_argument("--device", help="such as cpu or cuda:0")
    return parser.parse_args()


def read_video(path: Path) -> tuple[list[np.ndarray], float]:
    """Read a whole video.

    Returns:
        Its frames, uint8 RGB ``[H, W, 3]``, and its frames per second.

    Raises:
        VideoError: It cannot be decoded.
    """
    with open_video(path) as reader:
        return [frame.image for frame in reader], reader.rate or 1.0


def annotate(
    frame: np.ndarray, ranking: list[tuple[str, float]], width: int
) -> np.ndarray:
    """Draw a ranking under a frame, each class over a bar as long as its score.

    Args:
        frame: uint8 RGB ``[H, W, 3]``.
        ranking: Class names and scores in [0, 1], best first.
        width: Width of the result in pixels.

    Returns:
        uint8 RGB with even sides, as video encoders want them.
    """
    height = round(frame.shape[0] * width / frame.shape[1]) // 2 * 2
    picture = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
    panel = np.full((LINE * len(ranking), width, 3), PAPER, np.uint8)
    for row, (name, score) in enumerate(ranking):
        top = row * LINE
        panel[top + 2 : top + LINE - 2, : round(width * score)] = BAR
        cv2.putText(
            panel,
            f"{score:4.0%} {name}",
            (MARGIN, top + LINE - MARGIN),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5 if row else 0.55,
            INK,
            1,
            cv2.LINE_AA,
        )
    return np.vstack([picture, panel])


def write(frames: list[np.ndarray], fps: float, out: Path, strip_length: int) -> None:
    """Write annotated frames as the video, animation or strip that ``out`` names.

    Raises:
        OSError: The file cannot be written.
    """
    if out.suffix == ".png":
        chosen = np.linspace(0, len(frames) - 1, min(strip_length, len(frames)))
        strip = np.hstack([frames[round(index)] for index in chosen])
        Image.fromarray(strip).save(out)
    elif out.suffix == ".gif":
        first, *rest = (Image.fromarray(frame) for frame in frames)
        first.save(out, save_all=True, append_images=rest, duration=1000 / fps, loop=0)
    else:
        with VideoWriter(out, fps) as video:
            for frame in frames:
                video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def main() -> None:
    """Annotate the video on the command line."""
    args = parse_args()
    names = find_labels(read_config(args.config), args.label_file)
    frames, fps = read_video(args.video)
    inferencer = MMAction2Inferencer(
        rec=args.config, rec_weights=args.checkpoint, device=args.device
    )
    scores = inferencer(str(args.video))["predictions"][0]["rec_scores"][0]
    ranking = sorted(zip(names, scores, strict=True), key=lambda pair: -pair[1])
    ranking = ranking[: args.top_k]

    width = max(MIN_WIDTH, frames[0].shape[1]) // 2 * 2
    annotated = [annotate(frame, ranking, width) for frame in frames]
    write(annotated, fps, args.out, args.frames)
    print(f"{args.video}: {ranking[0][0]} ({ranking[0][1]:.1%}), see {args.out}.")


if __name__ == "__main__":
    main()
