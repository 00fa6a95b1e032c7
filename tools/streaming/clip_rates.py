"""Top-1 on single clips that are fed at other frame rates than in training.

Feeds the test clips of a config at ``--fps`` frames a second, with the times in
between, and takes the answer at the last one. Clips are folders of frames at
``--clip-fps``; no frame is thinned out.

Example:
    python tools/streaming/clip_rates.py shipped shipped --fps 1 2 4 12
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

from typing import Any, cast

import numpy as np
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from lcr_mmaction.command_line import model_parser, positive
from lcr_mmaction.config_files import read_config
from lcr_mmaction.loading import load_recognizer


def main() -> None:
    """Print a line a rate."""
    parser = model_parser(__doc__)
    parser.add_argument("--fps", type=positive(float), nargs="+", required=True)
    parser.add_argument("--clip-fps", type=positive(float), default=12.0)
    args = parser.parse_args()
    config = read_config(args.config)
    init_default_scope("mmaction")
    model = cast(Any, load_recognizer(config, args.checkpoint, "cpu"))
    loader = config.test_dataloader.dataset
    dataset = DATASETS.build({**loader, "pipeline": []})
    steps = [step for step in loader.pipeline if "Sample" not in step["type"]]
    steps[-1] = dict(steps[-1], meta_keys=("elapsed",))
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    for fps in args.fps:
        right = 0
        for index in range(len(dataset)):
            clip = dataset.get_data_info(index)
            gap = args.clip_fps / fps
            frames = np.round(np.arange(0, clip["total_frames"], gap)).astype(int)
            frames = frames[frames < clip["total_frames"]]
            clip["frame_inds"] = frames + clip["start_index"]
            clip["clip_len"], clip["num_clips"] = len(frames), 1
            between = np.diff(frames, prepend=frames[0] - gap) / args.clip_fps
            clip["elapsed"] = np.float32(between * config.streaming.fps)
            with torch.no_grad():
                sample = model.test_step(pseudo_collate([pipeline(clip)]))[0]
            right += int(sample.pred_label) == clip["label"]
        print(
            f"{fps:g} frames a second: {100 * right / len(dataset):.1f} %", flush=True
        )


if __name__ == "__main__":
    main()
