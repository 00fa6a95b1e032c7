"""Turn MSR-Action3D's depth files into frame folders and list files.

Usage::

    python tools/data/msr_action3d/convert.py SOURCE --out data/msr_action3d

SOURCE holds `aXX_sYY_eZZ_sdepth.mat`, at any depth of folders.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from depth_coding import CODINGS, VIEWS, code_clip
from protocols import ACTIONS, PEOPLE, Clip, splits

NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_sdepth\.mat")
TAKES = 3


def find_files(source: Path) -> dict[Clip, Path]:
    """Return the depth files under a folder.

    Raises:
        SystemExit: There is none, one comes twice, or a number is out of range.
    """
    if not source.is_dir():
        sys.exit(f"{source} is not a folder.")
    files: dict[Clip, Path] = {}
    for path in sorted(source.rglob("*_sdepth.mat")):
        match = NAME.fullmatch(path.name)
        clip = Clip(*map(int, match.groups())) if match else None
        if clip is None or clip not in all_clips():
            sys.exit(
                f"{path}: no clip of MSR-Action3D is called so; expected "
                "aXX_sYY_eZZ_sdepth.mat, XX to 20, YY to 10, ZZ to 3."
            )
        if clip in files:
            sys.exit(f"{clip.name} is there twice: {files[clip]} and {path}.")
        files[clip] = path
    if not files:
        sys.exit(f"No aXX_sYY_eZZ_sdepth.mat under {source}.")
    return files


def all_clips() -> list[Clip]:
    """Return every clip that there could be; not all were published."""
    return [
        Clip(action, person, take)
        for action in range(1, len(ACTIONS) + 1)
        for person in PEOPLE
        for take in range(1, TAKES + 1)
    ]


def read_depth(path: Path) -> np.ndarray:
    """Read a clip.

    Returns:
        uint16 `[T, H, W]`, 0 where there is no person.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except Exception as error:  # scipy raises whatever the damage leads to
        reason = str(error).strip().splitlines() or [""]
        raise ValueError(f"{type(error).__name__}: {reason[0]}") from error
    depth = content.get("depth")
    if depth is None:
        names = [name for name in content if not name.startswith("__")]
        raise ValueError(f"no variable 'depth', but {names}")
    if depth.ndim != 3 or depth.shape[2] < 2 or depth.dtype.kind not in "ui":
        raise ValueError(
            f"depth is {depth.dtype} {list(depth.shape)}: expected integers "
            "[height, width, frames], 2 frames or more"
        )
    return np.moveaxis(depth, 2, 0)


def write_frames(folder: Path, frames: np.ndarray) -> None:
    """Write a clip's frames as `00001.png` ..., without loss."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / f"{number:05}.png"), frame[..., ::-1])


def write_lists(out: Path, lengths: Mapping[Clip, int]) -> None:
    """Write `label_map.txt`, and the two lists `<split>_train.txt` and `_test.txt`.

    A half none of whose people are there, as of a part of the data, has no list.
    """
    names = "".join(f"{action}\n" for action in ACTIONS)
    (out / "label_map.txt").write_text(names, encoding="utf-8")
    for name, halves in splits().items():
        for half, people in zip(("train", "test"), halves, strict=True):
            lines = [
                f"{clip.name} {length} {clip.action - 1}\n"
                for clip, length in sorted(lengths.items())
                if clip.person in people
            ]
            path = out / f"{name}_{half}.txt"
            if lines:
                path.write_text("".join(lines))
            else:
                path.unlink(missing_ok=True)
                print(f"No {path.name}: no clip of people {people}")


def convert(
    source: Path, out: Path, coding: str, crop: str, size: int
) -> tuple[dict[Clip, int], list[str]]:
    """Convert all clips.

    Returns:
        The number of frames of every good clip, and what is wrong with the others.
    """
    lengths: dict[Clip, int] = {}
    faults = []
    for clip, path in find_files(source).items():
        try:
            depth = read_depth(path)
            frames = code_clip(depth, coding, size, crop)
        except ValueError as error:
            faults.append(f"{path}: {error}")
            continue
        write_frames(out / clip.name, frames)
        lengths[clip] = len(frames)
    return lengths, faults


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder of *_sdepth.mat")
    parser.add_argument(
        "--out", type=Path, default=Path("data/msr_action3d"), help="folder to fill"
    )
    parser.add_argument(
        "--coding", choices=CODINGS, default="grey", help="of depth (grey)"
    )
    parser.add_argument(
        "--crop",
        choices=VIEWS,
        default="clip",
        help="what the frame is fitted to: the whole clip or its first frame (clip)",
    )
    parser.add_argument("--size", type=int, default=112, help="of frames (112)")
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="write lists without the damaged clips; results are then not comparable",
    )
    args = parser.parse_args()
    if args.size < 16:
        parser.error(f"--size {args.size}: expected 16 or more")
    return args


def main() -> None:
    """Convert, and say what is there and what is not."""
    args = parse_args()
    lengths, faults = convert(args.source, args.out, args.coding, args.crop, args.size)
    for fault in faults:
        print(f"Damaged: {fault}", file=sys.stderr)
    if faults and not args.skip_damaged:
        sys.exit(
            f"{len(faults)} damaged clips, no list files written: get these files "
            "again, or leave them out with --skip-damaged and say so with the results."
        )
    if not lengths:
        sys.exit("No clip is left.")
    write_lists(args.out, lengths)
    absent = [clip.name for clip in all_clips() if clip not in lengths]
    print(f"{len(lengths)} clips, {sum(lengths.values())} frames in {args.out}")
    print(f"Not there, of {len(all_clips())} possible: {' '.join(absent) or 'none'}")
    for name in ("a", "b"):
        train, test = (
            sum(clip.person in people for clip in lengths) for people in splits()[name]
        )
        print(f"Protocol {name.upper()}: {train} clips to train, {test} to test")


if __name__ == "__main__":
    main()
