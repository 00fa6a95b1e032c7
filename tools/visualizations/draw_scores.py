"""Draw test clips as the model sees them, and its scores frame by frame.

Usage::

    python tools/visualizations/draw_scores.py CONFIG CHECKPOINT OUT.png --clips 3 40

A row a clip: some of its frames, their edges and the last block's forget gate, patch by
patch, black where it is lowest in the clip and white where it is highest. Beside them
the scores of the right class and of its two strongest rivals when the model is asked
after each frame.
Clips are numbered as the lines of the config's test list, from 0.
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from mmengine.config import DictAction
from mmengine.dataset import pseudo_collate
from torch import nn

from lcr_mmaction.command_line import (
    add_label_file,
    model_parser,
    output_file,
    positive,
)
from lcr_mmaction.config_files import read_config
from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.observation import observe
from lcr_runtime.labels import find_labels


@torch.no_grad()
def scores_over_time(model: nn.Module, clip: dict) -> np.ndarray:
    """Score a packed clip after its first, first two, ... frames: `[T, classes]`."""
    frames = clip["inputs"].shape[2]
    parts = [dict(clip, inputs=clip["inputs"][:, :, : t + 1]) for t in range(frames)]
    samples = [model.test_step(pseudo_collate([part]))[0] for part in parts]
    return torch.stack([sample.pred_score for sample in samples]).cpu().numpy()


def last_gate(model: nn.Module, clip: dict) -> np.ndarray | None:
    """The last block's forget gate, 0 to 255, `[T, rows, columns]`, if it has one."""
    if not isinstance(model.backbone, LCRBackbone):
        return None
    gate = observe(model, clip["inputs"][0]).blocks[-1].forget
    if gate is None:
        return None
    low, high = gate.min(), gate.max()
    return (255 * (gate - low) / (high - low).clamp_min(1e-6)).numpy()


def strip(inputs: np.ndarray, gate: np.ndarray | None, count: int) -> np.ndarray:
    """Lay `count` frames of a clip `[C, T, H, W]` beside each other, maps below."""
    chosen = np.linspace(0, inputs.shape[1] - 1, count).round().astype(int)
    frames = inputs[:3, chosen]
    rows = [np.concatenate(frames.transpose(1, 2, 3, 0), axis=1)]
    if len(inputs) == 4:
        edges = np.concatenate(inputs[3, chosen], axis=1)
        rows.append(np.repeat(edges[..., None], 3, axis=-1))
    if gate is not None:
        patch = np.ones(
            [
                side // of
                for side, of in zip(inputs.shape[2:], gate.shape[1:], strict=True)
            ]
        )
        maps = np.concatenate([np.kron(gate[t], patch) for t in chosen], axis=1)
        rows.append(np.repeat(maps[..., None], 3, axis=-1))
    return np.concatenate(rows).clip(0, 255).astype(np.uint8)


def main() -> None:
    """Write the picture."""
    parser = model_parser(__doc__)
    parser.add_argument("out", type=output_file(".png"), help="picture to write")
    parser.add_argument("--clips", type=int, nargs="+", required=True, help="numbers")
    parser.add_argument(
        "--frames", type=positive(int), default=8, help="frames of a clip to show"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={})
    add_label_file(parser)
    args = parser.parse_args()
    config = read_config(args.config)
    config.merge_from_dict(args.cfg_options)
    names = find_labels(config, args.label_file)
    model = init_recognizer(config, args.checkpoint, device=args.device)
    dataset = DATASETS.build(config.test_dataloader.dataset)
    for number in args.clips:
        if not 0 <= number < len(dataset):
            parser.error(
                f"--clips {number}: the test list has clips 0 to {len(dataset) - 1}"
            )

    figure, axes = plt.subplots(
        len(args.clips),
        2,
        figsize=(9, 2.1 * len(args.clips)),
        width_ratios=(2.6, 1.4),
        squeeze=False,
        layout="constrained",
    )
    for number, (picture, curve) in zip(args.clips, axes, strict=True):
        clip = dataset[number]
        scores = scores_over_time(model, clip)
        label, guess = int(clip["data_samples"].gt_label), int(scores[-1].argmax())
        picture.imshow(
            strip(clip["inputs"][0].numpy(), last_gate(model, clip), args.frames)
        )
        picture.set_anchor("W")
        picture.set_axis_off()
        verdict = "right" if guess == label else f"taken for {names[guess]}"
        picture.set_title(f"{names[label]}: {verdict}", fontsize=9, loc="left")
        rivals = [c for c in scores.max(axis=0).argsort()[::-1] if c != label][:2]
        times = np.arange(1, len(scores) + 1)
        for shown, style in zip((label, *rivals), ("-", "--", ":"), strict=True):
            curve.plot(times, scores[:, shown], style, label=names[shown])
        curve.set(ylim=(0, 1), xlim=(1, len(scores)))
        curve.tick_params(labelsize=7)
        curve.legend(fontsize=6, loc="upper left", frameon=False)
    axes[-1][1].set_xlabel("frames seen", fontsize=8)
    figure.savefig(args.out, dpi=80)
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main()
