"""Does an image model help, and does it matter how the memory is added to it?

A small Vision-RWKV is trained to name shapes on single synthetic pictures. Then video
models learn from few synthetic clips which shape moves, and which of four ways, which
no single frame shows:

- scratch: the same video model, nothing pretrained;
- identity: the image model whose cells start without a part (what the archs do);
- plugged: the image model with leaky cells in its blocks, as LCR's own blocks have.

All of it is synthetic and small: it compares starts, and says nothing of real video.
Clips for training, validation and testing are drawn from different seeds; the rate of
each way is chosen on validation clips, and test clips are looked at once.

Example:
    python tools/experiments/image_start.py --seeds 3 --out image_start.json
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lcr_mmaction.models import LCRBackbone, LCRHead
from lcr_mmaction.models.cells import LeakyCell

SIDE, FRAMES, SHAPES, WAYS = 24, 5, 6, 4
ARCH = dict(version=6, embed_dims=48, num_heads=3, layer_scale=None, num_layers=2)
STARTS = ("scratch", "identity", "plugged")


def draw(shape: int, row: float, column: float, size: float) -> np.ndarray:
    """Draw one of the shapes, ``[SIDE, SIDE]`` in 0 to 1."""
    y, x = np.mgrid[:SIDE, :SIDE]
    y, x = (y - row) / size, (x - column) / size
    inside = (
        np.hypot(y, x) < 1,
        np.maximum(abs(y), abs(x)) < 0.85,
        abs(y) + abs(x) < 1.1,
        (abs(np.hypot(y, x) - 0.8) < 0.3),
        (np.minimum(abs(y), abs(x)) < 0.3) & (np.maximum(abs(y), abs(x)) < 1),
        (y > -0.7) & (y < 0.8) & (abs(x) < (y + 0.7) * 0.65),
    )[shape]
    return inside.astype(np.float32)


def make_clips(count: int, frames: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw clips ``[count, 3, frames, SIDE, SIDE]``, their shapes and their ways."""
    rng = np.random.default_rng(seed)
    clips = rng.normal(0, 0.25, (count, 3, frames, SIDE, SIDE)).astype(np.float32)
    shapes, ways = rng.integers(0, SHAPES, count), rng.integers(0, WAYS, count)
    for clip, shape, way in zip(clips, shapes, ways, strict=True):
        size, colour = rng.uniform(3.5, 5.5), rng.uniform(0.4, 1.5, (3, 1, 1))
        centre, speed = rng.uniform(8, SIDE - 8, 2), rng.uniform(0.8, 1.6)
        step = speed * np.array([(0, 1), (0, -1), (1, 0), (-1, 0)][way])
        other, other_size = rng.uniform(0, SIDE, 2), rng.uniform(2, 4)
        for t in range(frames):
            clip[:, t] += 0.5 * draw(rng.integers(SHAPES), *other, other_size)
            row, column = centre + step * (t - (frames - 1) / 2)
            clip[:, t] += colour * draw(shape, row, column, size)
    return torch.from_numpy(clips), torch.from_numpy(shapes), torch.from_numpy(ways)


def make_model(classes: int, seed: int) -> nn.ModuleDict:
    """Build backbone and head."""
    torch.manual_seed(seed)
    backbone = LCRBackbone(arch=ARCH, img_size=SIDE, patch_size=4)
    return nn.ModuleDict(
        dict(backbone=backbone, head=LCRHead(classes, backbone.feat_dims))
    )


def score(model: nn.ModuleDict, clips: Tensor) -> Tensor:
    """Logits of clips."""
    return model["head"](model["backbone"](clips))


def train(
    model: nn.ModuleDict, clips: Tensor, labels: Tensor, epochs: int, rate: float
) -> None:
    """Train in place: AdamW, warm-up and cosine, batches of 16."""
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    steps = epochs * (len(clips) // 16)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1
    )
    model.train()
    for _ in range(epochs):
        for index in torch.randperm(len(clips)).split(16)[: len(clips) // 16]:
            loss = F.cross_entropy(score(model, clips[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(model: nn.ModuleDict, clips: Tensor, labels: Tensor) -> float:
    """Top-1 in per cent."""
    model.eval()
    scores = torch.cat([score(model, part) for part in clips.split(32)])
    return 100 * float((scores.argmax(1) == labels).float().mean())


def start_as(how: str, image_model: nn.ModuleDict, seed: int) -> nn.ModuleDict:
    """Build a video model that starts in one of the ways of ``STARTS``."""
    model = make_model(SHAPES * WAYS, seed)
    backbone = model["backbone"]
    if how != "scratch":
        backbone.load_state_dict(image_model["backbone"].state_dict())
    if how == "plugged":
        for block in backbone.blocks:
            block.cell = LeakyCell(ARCH["embed_dims"])
    return model


def run_seed(seed: int, args: argparse.Namespace) -> Iterator[dict]:
    """Train one image model and, from it, every video model."""
    pictures, shapes, _ = make_clips(args.pictures, 1, 4 * seed)
    image_model = make_model(SHAPES, seed)
    # Cells and edges are no part of an image model: they stay as they start.
    for name, parameter in image_model.named_parameters():
        parameter.requires_grad_(not (".cell." in name or "edge_embed" in name))
    train(image_model, pictures, shapes, args.image_epochs, 3e-3)
    splits = {}
    for i, (name, count) in enumerate(
        (("train", args.clips), ("val", 240), ("test", 480)), start=1
    ):
        clips, shapes, ways = make_clips(count, FRAMES, 4 * seed + i)
        splits[name] = (clips, shapes * WAYS + ways)
    pictures, shapes, _ = make_clips(240, 1, 4 * seed + 2)
    named = accuracy(image_model, pictures, shapes)
    for how in STARTS:
        trials = []
        for rate in args.rates:
            model = start_as(how, image_model, seed)
            train(model, *splits["train"], args.epochs, rate)
            trials.append((accuracy(model, *splits["val"]), rate, copy.deepcopy(model)))
        val, rate, model = max(trials, key=lambda trial: trial[:2])
        yield dict(
            seed=seed,
            start=how,
            image_top1=named,
            rate=rate,
            val_top1=val,
            test_top1=accuracy(model, *splits["test"]),
        )


def main() -> None:
    """Run all seeds, saving as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--image-epochs", type=int, default=8)
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 3e-3])
    args = parser.parse_args()
    results: list[dict] = []
    for seed in range(args.seeds):
        for result in run_seed(seed, args):
            results.append(result)
            print(result, flush=True)
            args.out.write_text(json.dumps(results, indent=2))
    for how in STARTS:
        tops = [x["test_top1"] for x in results if x["start"] == how]
        print(f"{how}: {np.mean(tops):.1f} ± {np.std(tops, ddof=len(tops) > 1):.1f} %")


if __name__ == "__main__":
    main()
