"""Join clips into continuous videos, one a person, each with its timeline.

Usage::

    python tools/data/msr_action3d/join_streams.py data/msr_action3d a_test \
        --out data/msr_streams/a_test
    python tools/streaming/evaluate.py configs/lcr_msr.py CHECKPOINT \
        --streams data/msr_streams/a_test

A person's clips follow each other in random order, without a pause. Where one ends the
picture jumps, since each was cropped for itself.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import defaultdict
from pathlib import Path

import cv2
from protocols import ACTIONS

from lcr_runtime.text import read_lines
from lcr_runtime.video.writer import VideoWriter

FPS = 15  # the sensor's


def clips_of_people(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    """Return each person's clips in a list file: folder, number of frames, label.

    Raises:
        SystemExit: The file cannot be read, or a line is of another data set.
    """
    people = defaultdict(list)
    try:
        lines = read_lines(path)
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}: convert.py writes the lists")
    for line in lines:
        match = re.fullmatch(r"(a\d\d_s(\d\d)_e\d\d) (\d+) (\d+)", line)
        if match is None:
            sys.exit(f"{path}: {line!r} is not 'aXX_sYY_eZZ FRAMES LABEL'")
        name, person, frames, label = match.groups()
        people[person].append((name, int(frames), int(label)))
    return dict(people)


def join(root: Path, clips: list[tuple[str, int, int]], out: Path, name: str) -> int:
    """Write a video of the clips and its timeline; return its number of frames.

    Raises:
        SystemExit: A frame cannot be read.
    """
    for folder in ("videos", "timelines"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    events = []
    begin = 0
    with VideoWriter(out / "videos" / f"{name}.mp4", FPS) as video:
        for clip, frames, label in clips:
            for number in range(1, frames + 1):
                path = root / clip / f"{number:05}.png"
                picture = cv2.imread(str(path))
                if picture is None:
                    sys.exit(f"{path} cannot be read: run convert.py anew")
                video.write(picture)
            end = begin + frames
            events.append(
                {"name": ACTIONS[label], "start_frame": begin, "end_frame": end}
            )
            begin = end
    timeline = {"fps": FPS, "num_frames": begin, "events": events}
    path = out / "timelines" / f"{name}.json"
    path.write_text(json.dumps(timeline, indent=1) + "\n", encoding="utf-8")
    return begin


def main() -> None:
    """Join the clips of a list, person by person."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="what convert.py wrote")
    parser.add_argument("list", help="whose clips, for instance a_test")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    for person, clips in sorted(
        clips_of_people(args.root / f"{args.list}.txt").items()
    ):
        chance.shuffle(clips)
        frames = join(args.root, clips, args.out, f"person{person}")
        print(f"Person {person}: {len(clips)} clips, {frames / FPS:.0f} s")


if __name__ == "__main__":
    main()
