"""Draw what a model does with a clip, from its edges to its scores.

For every frame: the picture, its edge map, Grad-CAM, and of each block the forget gate
and the norm of the receptance, patch by patch. For the clip: how far a value reaches
through the decay of each head, and the scores of the classes after each frame.

    python tools/visualizations/vis_internals.py VIDEO seen.png
    python tools/visualizations/vis_internals.py CONFIG CHECKPOINT VIDEO seen.mp4

``.png`` is one picture of all frames, ``.mp4`` a video with a picture a frame. Without
a config the model that ships is drawn. A folder of frames will do as a video.
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
import copy
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

from lcr_mmaction.command_line import (
    add_label_file,
    model_parser,
    output_file,
    positive,
)
from lcr_mmaction.config_files import read_config
from lcr_mmaction.deployment import shipped_model
from lcr_mmaction.observation import Observation, observe
from lcr_mmaction.upstream.grad_cam import TokenGradCAM
from lcr_runtime.labels import find_labels
from lcr_runtime.video.writer import VideoWriter

PICTURES = (".bmp", ".jpeg", ".jpg", ".png")
CELL = 1.1  # inches, the side of a map


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__, optional=True)
    parser.add_argument("video", type=existing, help="video file, or folder of frames")
    parser.add_argument(
        "out", type=output_file(".png", ".mp4"), help=".png or .mp4 to write"
    )
    add_label_file(parser)
    parser.add_argument(
        "--top-k", type=positive(int), default=5, help="classes to show"
    )
    parser.add_argument(
        "--frames", type=positive(int), default=8, help="frames of a .png"
    )
    parser.add_argument(
        "--blocks", type=positive(int), nargs="+", help="blocks to show; default: all"
    )
    parser.add_argument(
        "--fps", type=positive(float), default=4.0, help="frames a second of an .mp4"
    )
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda:0")
    args = parser.parse_args()
    if args.config and not args.checkpoint:
        parser.error("give CONFIG and CHECKPOINT, or neither")
    if not args.config:
        args.config, args.checkpoint = shipped_model()
    return args


def existing(path: str) -> Path:
    """Take a file or folder that is there."""
    if not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{path} is not there")
    return Path(path)


def read_clip(config: Config, video: Path) -> dict[str, Any]:
    """Read one view of a video as the config's test pipeline does.

    Returns:
        What the pipeline packs: ``inputs`` are uint8 ``[1, C, T, H, W]``.

    Raises:
        ValueError: The config has no pipeline for videos, or the folder no picture.
    """
    steps = one_view(config.get("test_pipeline") or [])
    names = [step["type"] for step in steps]
    if names[:1] != ["VideoInit"] or "VideoDecode" not in names:
        raise ValueError(
            f"{config.filename}: test_pipeline must open a video, with VideoInit and "
            f"VideoDecode; got {names}"
        )
    sample: dict[str, Any] = dict(label=-1, start_index=0, modality="RGB")
    if video.is_dir():
        sample.update(array=read_folder(video))
        sample.update(total_frames=len(sample["array"]))
        steps[names.index("VideoDecode")] = dict(type="ArrayDecode")
        steps = steps[1:]
    else:
        sample.update(filename=str(video))
    return Compose(steps)(sample)


def one_view(pipeline: list[dict]) -> list[dict]:
    """Take one clip and its middle where a test pipeline takes several."""
    steps = copy.deepcopy(pipeline)
    for step in steps:
        if "num_clips" in step:
            step["num_clips"] = 1
        if step["type"] in ("ThreeCrop", "TenCrop"):
            step["type"] = "CenterCrop"
    return steps


def read_folder(folder: Path) -> np.ndarray:
    """Read the pictures of a folder in the order of their names, RGB."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    frames = [cv2.imread(str(path)) for path in paths]
    damaged = [path for path, frame in zip(paths, frames, strict=True) if frame is None]
    if damaged or not frames:
        raise ValueError(
            f"{damaged[0]} cannot be read"
            if damaged
            else f"{folder} holds no picture: expected files in {PICTURES}"
        )
    return np.stack(frames)[..., ::-1]


class Seen(NamedTuple):
    """All that can be drawn of a clip.

    Attributes:
        frames: uint8 RGB ``[T, H, W, 3]``.
        edges: ``[T, H, W]`` in 0 to 1.
        grad_cam: RGB in 0 to 1, ``[T, H, W, 3]``.
        observation: What the blocks did.
    """

    frames: np.ndarray
    edges: np.ndarray
    grad_cam: np.ndarray
    observation: Observation


def see(model: nn.Module, packed: dict[str, Any]) -> Seen:
    """Run a model on a clip that :func:`read_clip` returned."""
    clip = packed["inputs"][0]
    colours, edges = clip[:3], clip[3:].float() / 255
    if not len(edges):
        found = model.backbone.graph_edges(clip[None].transpose(1, 2).float())
        edges = found[0].transpose(0, 1).cpu()
    observation = observe(model, clip)
    model.requires_grad_(True)  # Grad-CAM goes through what was frozen, too
    grad_cam = TokenGradCAM(model, "backbone/frame_embed")
    blended, _ = grad_cam(pseudo_collate([packed]))
    frames = colours.permute(1, 2, 3, 0).numpy()
    return Seen(frames, edges[0].numpy(), blended[0].numpy().clip(0, 1), observation)


class Drawing:
    """Figures of one clip.

    Args:
        seen: What is drawn.
        blocks: Numbers of the blocks to draw, from 1.
        labels: Names of all classes.
        top_k: How many classes to draw, those with the highest scores at the end.

    Raises:
        ValueError: There is no such block.
    """

    def __init__(
        self, seen: Seen, blocks: list[int] | None, labels: list[str], top_k: int
    ) -> None:
        count = len(seen.observation.blocks)
        self.blocks = blocks or list(range(1, count + 1))
        if max(self.blocks) > count:
            raise ValueError(
                f"--blocks {max(self.blocks)}: the model has {count} blocks"
            )
        self.seen = seen
        self.length = len(seen.frames)
        scores = seen.observation.scores
        best = scores[-1].topk(min(top_k, scores.shape[1])).indices.tolist()
        self.curves = {labels[index]: scores[:, index].numpy() for index in best}
        edges = colormaps["gray"](seen.edges, bytes=True)[..., :3]
        self.top = {"frame": seen.frames, "edges": edges, "Grad-CAM": seen.grad_cam}
        self.gates = self._maps("forget", "gray")
        self.receptances = self._maps("receptance", "magma")

    def _maps(self, name: str, colours: str) -> dict[str, np.ndarray]:
        """Pictures of one attribute of the blocks, by their titles."""
        found = {}
        for number in self.blocks:
            values = getattr(self.seen.observation.blocks[number - 1], name)
            if values is not None:
                pictures, meaning = stretch(values.numpy(), colours)
                found[f"block {number}\n{meaning}"] = pictures
        return found

    def sheet(self, count: int) -> Figure:
        """Draw ``count`` frames beside each other, all maps under them."""
        chosen = np.linspace(0, self.length - 1, min(count, self.length))
        chosen = chosen.round().astype(int)
        rows = dict(self.top)
        rows |= {f"forget gate, {name}": x for name, x in self.gates.items()}
        rows |= {f"receptance, {name}": x for name, x in self.receptances.items()}
        height, below = CELL * len(rows) + 0.3, 2.4
        figure = new_figure(CELL * len(chosen) + 1.4, height + below)
        maps, curves = figure.subfigures(2, 1, height_ratios=[height, below])
        axes = maps.subplots(len(rows), len(chosen), squeeze=False)
        for line, (name, pictures) in zip(axes, rows.items(), strict=True):
            for axis, index in zip(line, chosen, strict=True):
                show(axis, pictures[index])
            line[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
        for axis, index in zip(axes[0], chosen, strict=True):
            axis.set_title(f"{index + 1}", fontsize=8)
        reach, scores = curves.subplots(1, 2)
        self._draw_reach(reach)
        self._draw_scores(scores, self.length)
        return figure

    def page(self, index: int) -> Figure:
        """Draw one frame and the curves, the blocks beside each other under them."""
        rows = {"forget gate": self.gates, "receptance": self.receptances}
        rows = {name: row for name, row in rows.items() if row}
        above, height = 2.4, (CELL + 0.5) * len(rows)
        figure = new_figure(CELL * len(self.blocks) + 1, above + height)
        ratios = [above, height] if rows else [above]
        parts = np.atleast_1d(figure.subfigures(len(ratios), 1, height_ratios=ratios))
        axes = parts[0].subplots(1, 5, width_ratios=[1, 1, 1, 1.2, 1.6])
        for axis, (name, pictures) in zip(axes, self.top.items(), strict=False):
            show(axis, pictures[index])
            axis.set_title(name, fontsize=8)
        self._draw_reach(axes[3])
        self._draw_scores(axes[4], index + 1)
        if not rows:
            return figure
        axes = parts[1].subplots(len(rows), len(self.blocks), squeeze=False)
        for line, (name, row) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(name, fontsize=8)
            for axis, (title, pictures) in zip(line, row.items(), strict=True):
                show(axis, pictures[index])
                axis.set_title(title, fontsize=8)
        return figure

    def _draw_reach(self, axis: Axes) -> None:
        for number in self.blocks:
            reach = self.seen.observation.blocks[number - 1].reach
            if reach is not None:
                places = number + 0.8 * (np.arange(len(reach)) + 0.5) / len(reach) - 0.4
                axis.bar(places, reach.numpy(), 0.7 / len(reach), color="tab:gray")
        label(axis, "effective reach of each head", "block", "tokens")

    def _draw_scores(self, axis: Axes, length: int) -> None:
        """Draw the scores after each of the first frames."""
        steps = np.arange(1, self.length + 1)
        for name, scores in self.curves.items():
            axis.plot(steps[:length], scores[:length], marker=".", label=name)
        axis.set(ylim=(0, 1.02), xlim=(0.5, self.length + 0.5))
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        label(axis, "scores after each frame", "frame", "score")


def new_figure(width: float, height: float) -> Figure:
    """Start a figure of a size in inches, wide enough for the curves."""
    return Figure((max(width, 10), height), dpi=100, layout="constrained")


def label(axis: Axes, title: str, across: str, up: str) -> None:
    """Name a chart and its axes."""
    axis.set_title(title, fontsize=8)
    axis.set_xlabel(across, fontsize=8)
    axis.set_ylabel(up, fontsize=8)
    axis.grid(alpha=0.3)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.tick_params(labelsize=7)


def stretch(values: np.ndarray, colours: str) -> tuple[np.ndarray, str]:
    """Colour values from the lowest to the highest of the clip, and say which.

    Where all are the same, 0 is dark and 1, or more, is bright.
    """
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-4 * max(abs(high), 1e-8):
        scaled, meaning = values, f"{high:.3g} everywhere"
    else:
        scaled, meaning = (values - low) / (high - low), f"{low:.3g} to {high:.3g}"
    pictures = colormaps[colours](np.clip(scaled, 0, 1), bytes=True)
    return pictures[..., :3], meaning


def show(axis: Axes, picture: np.ndarray) -> None:
    """Show a picture or a map of patches, without ticks."""
    axis.imshow(picture, interpolation="nearest", aspect="equal")
    axis.set(xticks=[], yticks=[])


def as_picture(figure: Figure) -> np.ndarray:
    """Render a figure as uint8 BGR with even sides."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., 2::-1]
    return picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2]


def main() -> None:
    """Draw the clip on the command line."""
    args = parse_args()
    config = read_config(args.config)
    labels = find_labels(config, args.label_file)
    model = init_recognizer(config, args.checkpoint, device=args.device)
    seen = see(model, read_clip(config, args.video))
    drawing = Drawing(seen, args.blocks, labels, args.top_k)
    if args.out.suffix == ".png":
        cv2.imwrite(str(args.out), as_picture(drawing.sheet(args.frames)))
    else:
        with VideoWriter(args.out, args.fps) as video:
            for index in range(drawing.length):
                video.write(as_picture(drawing.page(index)))
    print(f"{args.video}: {drawing.length} frames, see {args.out}.")


if __name__ == "__main__":
    main()
