"""Does a trained model use the order of frames? And how early does it know?

Usage::

    python tools/analysis_tools/order_of_frames.py CONFIG CHECKPOINT [--json FILE]

scores the config's test clips as they are, reversed, with their frames shuffled, with
one frame in place of all, and cut short after each eighth. The sampled frames are
moved, not the video's: what a frame itself says of the past, as its edges do not but a
coding of motion does, goes with it.
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import json
from collections.abc import Callable

import torch
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from torch import Tensor

from lcr_mmaction.command_line import model_parser, output_file
from lcr_mmaction.config_files import read_config

Change = Callable[[Tensor], Tensor]


def share(part: float) -> Change:
    """Return the change that cuts `[T, ...]` short."""
    return lambda frames: frames[: max(1, round(part * len(frames)))]


def shuffle(frames: Tensor) -> Tensor:
    """Shuffle `[T, ...]`, every clip of a length alike."""
    generator = torch.Generator().manual_seed(0)
    return frames[torch.randperm(len(frames), generator=generator)]


def repeat(place: float) -> Change:
    """Return the change that puts one frame of `[T, ...]` in place of all."""
    return lambda frames: frames[[int(place * (len(frames) - 1))] * len(frames)]


SHARES = [n / 8 for n in range(1, 8)]
CHANGES: dict[str, Change] = {
    "as they are": lambda frames: frames,
    "reversed": lambda frames: frames.flip(0),
    "shuffled": shuffle,
    "first frame": repeat(0),
    "middle frame": repeat(0.5),
    "last frame": repeat(1),
    **{f"first {100 * part:g} %": share(part) for part in SHARES},
}


def change_inputs(inputs: Tensor, change: Change) -> Tensor:
    """Change the frames of packed clips `[clips, C, T, H, W]`.

    Raises:
        ValueError: The frames are not in that layout.
    """
    if inputs.dim() != 5:
        raise ValueError(
            "expected clips [N, C, T, H, W] (FormatShape's NCTHW), got "
            f"{list(inputs.shape)}: models of single frames have no such axis"
        )
    return change(inputs.transpose(0, 2)).transpose(0, 2).contiguous()


@torch.no_grad()
def score(config: Config, checkpoint: str, device: str) -> dict[str, float]:
    """Return the accuracy, 0 to 1, after every change."""
    model = init_recognizer(config, checkpoint, device=device)
    dataset = DATASETS.build(config.test_dataloader.dataset)
    batch_size = config.test_dataloader.batch_size
    correct = dict.fromkeys(CHANGES, 0)
    for first in range(0, len(dataset), batch_size):
        last = min(first + batch_size, len(dataset))
        clips = [dataset[index] for index in range(first, last)]
        for name, change in CHANGES.items():
            changed = [
                dict(clip, inputs=change_inputs(clip["inputs"], change))
                for clip in clips
            ]
            for sample in model.test_step(pseudo_collate(changed)):
                guess = int(sample.pred_score.argmax())
                correct[name] += guess == int(sample.gt_label)
    return {name: count / len(dataset) for name, count in correct.items()}


def main() -> None:
    """Print a line per change."""
    parser = model_parser(__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--json", type=output_file(), help="write the accuracies here too"
    )
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={})
    args = parser.parse_args()
    config = read_config(args.config)
    config.merge_from_dict(args.cfg_options)
    accuracies = score(config, args.checkpoint, args.device)
    for name, accuracy in accuracies.items():
        print(f"{name:<14}{100 * accuracy:6.1f} %")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(accuracies, file, indent=1)


if __name__ == "__main__":
    main()
