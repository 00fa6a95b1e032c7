"""How much cheaper tube masking makes a training step, side by side in one run.

A step is forward, loss and backward of the model of a config on random clips whose
patches are hidden as ``TubeMask`` hides them. The ratios take turns, so that a change
of the machine's speed meets all of them.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from shared.measuring import markdown, take_turns
from torch import Tensor

from lcr_mmaction.transforms import TubeMask

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "lcr_jester.py"
RATIOS = (0.0, 0.5, 0.75)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def masked_clips(ratio: float, args: argparse.Namespace, backbone) -> Tensor:
    """Random clips ``[N, 1, 4, T, H, W]`` with a share of the patches hidden."""
    height, width = backbone.img_size
    clips = torch.rand(args.batch, 1, 4, args.frames, height, width)
    mask = TubeMask(mask_ratio=ratio, patch_size=backbone.patch_size)
    for clip in clips[:, 0]:
        images = [image.numpy() for image in (clip * 255).byte().permute(1, 2, 3, 0)]
        marked = mask(dict(imgs=images, clip_len=args.frames, num_clips=1))["imgs"]
        hidden = torch.stack([torch.from_numpy(image) for image in marked]).isinf()
        clip.masked_fill_(hidden.permute(3, 0, 1, 2), float("-inf"))
    return clips.to(args.device)


def step(model: torch.nn.Module, clips: Tensor) -> None:
    """Forward, loss and backward."""
    samples = [ActionDataSample().set_gt_label(0) for _ in clips]
    model.zero_grad(set_to_none=True)
    model.loss(clips, samples)["loss_cls"].backward()


def main() -> None:
    """Measure and print a Markdown table."""
    args = parse_args()
    config = Config.fromfile(args.config)
    init_default_scope("mmaction")
    torch.manual_seed(0)
    model = MODELS.build(config.model).to(args.device).train()
    calls = {
        ratio: functools.partial(step, model, masked_clips(ratio, args, model.backbone))
        for ratio in RATIOS
    }
    times = take_turns(calls, args.device, args.repeats)
    whole = times[0.0]
    rows = [
        (str(ratio), found.median, f"{whole.over(found):.2f} x")
        for ratio, found in times.items()
    ]
    print(markdown(["mask ratio", "step, s", "cheaper by"], rows))


if __name__ == "__main__":
    main()
