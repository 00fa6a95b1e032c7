"""Show how gradients and states behave through time and depth, before training.

For variants of the backbone with fresh weights this prints, as a Markdown table:

* through time: a loss is differentiated with respect to every frame of the clip; the
  table gives the largest norm over the smallest. Two losses: of the mean scores of all
  frames, as in training, and of the last frame's scores alone;
* through depth: the norm of the gradient of each block's output projection, largest
  over smallest;
* the state: the largest absolute memory C after 8, 32 and all frames of the clip.

Inputs are random, weights are fresh: what is shown is whether signals vanish or
explode, not whether the model learns.

Examples:
    python tools/experiments/signals.py
    python tools/experiments/signals.py --arch tiny --frames 128
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

from lcr_mmaction.models import LCRBackbone, LCRHead

VARIANTS: dict[str, dict] = {
    "default": {},
    "gate with feedback": dict(block="feedback"),
    "bounded cell": dict(cell="bounded"),
    "paper's cell": dict(cell="paper"),
    "no recurrence": dict(cell="none"),
    "no residual path": dict(block="plain"),
    "paper's cell, no residual path": dict(cell="paper", block="plain"),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", default="nano", choices=LCRBackbone.arch_zoo)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def random_clip(frames: int, size: int) -> Tensor:
    """Two random clips ``[2, 4, T, size, size]`` with a binary edge channel."""
    clip = torch.randn(2, 4, frames, size, size)
    clip[:, 3] = (clip[:, 3] > 1).float()
    return clip


def spread(norms: Tensor) -> float:
    """Largest over smallest."""
    return (norms.max() / norms.min()).item()


def measure(options: dict, args: argparse.Namespace) -> list[str]:
    """One row of the table, without its name."""
    torch.manual_seed(args.seed)
    backbone = LCRBackbone(arch=args.arch, img_size=args.size, **options)
    clip = random_clip(args.frames, args.size).requires_grad_()
    row = []
    for consensus in ("mean", "last"):
        torch.manual_seed(args.seed)
        head = LCRHead(27, backbone.feat_dims, consensus=consensus)
        backbone.zero_grad()
        clip.grad = None
        F.cross_entropy(head(backbone(clip)), torch.tensor([3, 5])).backward()
        row.append(spread(clip.grad[:, :3].square().sum(dim=(0, 1, 3, 4)).sqrt()))
    in_depth = torch.stack(
        [block.gate.output.weight.grad.norm() for block in backbone.blocks]
    )
    row += [spread(in_depth), *memory_sizes(backbone, clip.detach())]
    return [f"{value:.3g}" for value in row]


@torch.no_grad()
def memory_sizes(backbone: LCRBackbone, clip: Tensor) -> list[float]:
    """Largest memory of any block after 8, 32 and all frames."""
    backbone.eval()
    state = backbone.init_state(clip.shape[0], tuple(clip.shape[-2:]))
    sizes = []
    for t in range(clip.shape[2]):
        _, state = backbone.step(clip[:, :, t], state)
        sizes.append(max(block.memory.abs().max().item() for block in state.blocks))
    return [sizes[min(t, len(sizes)) - 1] for t in (8, 32, len(sizes))]


def main() -> None:
    """Print the table."""
    args = parse_args()
    print(
        f"| {args.arch}, {args.frames} frames | over time, mean of frames "
        "| over time, last frame | over depth | memory after 8 | after 32 | after all |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, options in VARIANTS.items():
        print(f"| {name} | {' | '.join(measure(options, args))} |", flush=True)


if __name__ == "__main__":
    main()
