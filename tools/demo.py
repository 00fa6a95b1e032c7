"""From nothing to a trained, tested and pictured gesture model, on synthetic clips.

Renders synthetic clips in Jester's layout, trains ``configs/lcr_jester_tiny.py`` with
MMAction2's own ``train.py``, tests it with ``test.py``, classifies one video with
``MMAction2Inferencer`` and leaves curves, a confusion matrix and an annotated clip as
pictures. Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from mmengine.runner import find_latest_checkpoint

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "lcr_jester_tiny.py"
LABEL_MAP = ROOT / "tools" / "data" / "jester" / "label_map.txt"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/synthetic_jester"))
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/demo"))
    parser.add_argument("--train-clips", type=int, default=4320)
    parser.add_argument("--val-clips", type=int, default=540)
    parser.add_argument("--mean-frames", type=float, default=24)
    parser.add_argument("--epochs", type=int, help="default: those of the config")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Steps:
    """Run commands one after the other and say how long each took."""

    def __init__(self, data: Path) -> None:
        self.start = time.monotonic()
        self.environment = os.environ | {"JESTER_ROOT": str(data)}

    def run(self, title: str, script: str, *arguments: object) -> None:
        """Run a script of ``tools/``; stop the demo where it fails."""
        minutes = (time.monotonic() - self.start) / 60
        print(f"\n== {minutes:4.1f} min: {title}", flush=True)
        command = [sys.executable, ROOT / "tools" / script, *arguments]
        code = subprocess.call([str(x) for x in command], env=self.environment)
        if code:
            sys.exit(f"{script} failed with exit status {code}; see above.")


def main() -> None:
    """Run the demo."""
    args = parse_args()
    data, work = args.data.resolve(), args.work_dir.resolve()
    steps = Steps(data)
    steps.run(
        "rendering synthetic clips",
        "data/synthetic/render_jester.py",
        *("--out", data, "--train", args.train_clips, "--val", args.val_clips),
        *("--mean-frames", args.mean_frames, "--seed", args.seed),
    )
    video_data = work / "videos"
    steps.run(
        "rendering a few synthetic videos of other clips",
        "data/synthetic/render_jester.py",
        *("--out", video_data, "--train", 1, "--val", 27, "--format", "videos"),
        *("--mean-frames", args.mean_frames, "--seed", args.seed + 1),
    )
    options = [f"randomness.seed={args.seed}"]
    if args.epochs:
        options += [
            f"train_cfg.max_epochs={args.epochs}",
            f"param_scheduler.1.end={args.epochs}",
        ]
    resume = ["--resume"] if find_latest_checkpoint(str(work)) else []
    steps.run(
        f"training {CONFIG.name}",
        "train.py",
        *(CONFIG, "--work-dir", work, *resume, "--cfg-options", *options),
    )
    checkpoint = find_latest_checkpoint(str(work))
    scores = work / "scores.pkl"
    steps.run(
        "testing on people the training never saw",
        "test.py",
        *(CONFIG, checkpoint, "--work-dir", work, "--dump", scores),
    )
    steps.run("drawing loss and accuracy curves", "analysis_tools/plot_curves.py", work)
    steps.run(
        "drawing the confusion matrix",
        "analysis_tools/plot_confusion.py",
        *(scores, work / "confusion_matrix.png", "--label-file", LABEL_MAP),
    )
    video = sorted(video_data.glob("videos/*.mp4"))[6]
    for suffix in ("png", "gif"):
        steps.run(
            f"classifying {video.name} with MMAction2Inferencer",
            "visualizations/annotate_clip.py",
            *(CONFIG, checkpoint, video, work / f"annotated.{suffix}"),
            *("--label-file", LABEL_MAP, "--device", "cpu"),
        )
    minutes = (time.monotonic() - steps.start) / 60
    print(f"\n== {minutes:4.1f} min: done. Pictures and log are in {args.work_dir}.")


if __name__ == "__main__":
    main()
