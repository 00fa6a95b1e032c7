"""Turn IPN Hand's frames or videos and its annotations into lists and timelines.

Usage::

    python tools/data/ipn_hand/convert.py SOURCE --out data/ipn_hand

SOURCE holds ``Annot_TrainList.txt`` and ``Annot_TestList.txt`` and, for every video V
they name, the frames ``V/V_000001.jpg`` ... or the file ``V.avi``, at any depth of
folders, as the official archives unpack.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from lcr_runtime.text import TextFileError, read_lines, write_lines
from lcr_runtime.video import open_video

# As the data set numbers them, from 1; the first is no gesture and comes last here.
CODES = ("D0X", "B0A", "B0B", *(f"G{number:02}" for number in range(1, 12)))
CLASSES = (
    "Pointing with one finger",
    "Pointing with two fingers",
    "Click with one finger",
    "Click with two fingers",
    "Throw up",
    "Throw down",
    "Throw left",
    "Throw right",
    "Open twice",
    "Double click with one finger",
    "Double click with two fingers",
    "Zoom in",
    "Zoom out",
    "No gesture",
)
NO_GESTURE = len(CLASSES) - 1
SPLITS = {"train": "Annot_TrainList.txt", "test": "Annot_TestList.txt"}
FPS = 30
VIDEO_SUFFIXES = (".avi", ".mp4")
FRAME_SIZE = (320, 240)  # width and height of the official frames


@dataclass(frozen=True)
class Segment:
    """A part of a video with one class.

    Attributes:
        label: Index in :data:`CLASSES`.
        start: First frame, counted from 0.
        end: The frame after the last.
    """

    label: int
    start: int
    end: int


def parse_line(line: str) -> tuple[str, Segment]:
    """Read ``video,code,id,first frame,last frame,frames``, frames counted from 1.

    Raises:
        ValueError: The line says something else.
    """
    video, code, number, *counts = (field.strip() for field in line.split(","))
    first, last, frames = map(int, counts)
    if code not in CODES or CODES.index(code) != int(number) - 1:
        raise ValueError(f"{code} is not class {number} of IPN Hand")
    if not (video and 1 <= first <= last and last - first + 1 == frames):
        raise ValueError(f"{frames} frames from {first} to {last} cannot be")
    return video, Segment((CODES.index(code) - 1) % len(CODES), first - 1, last)


def read_annotations(path: Path) -> dict[str, list[Segment]]:
    """Read the segments of every video, in order.

    Raises:
        SystemExit: The file has wrong lines; the first are named.
    """
    try:
        lines = read_lines(path)
    except TextFileError as error:
        sys.exit(str(error))
    videos: dict[str, list[Segment]] = defaultdict(list)
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("video,"):
            continue
        try:
            video, segment = parse_line(line)
        except ValueError as error:
            faults.append(f"  line {number}: {line!r}: {error}")
            continue
        before = videos[video][-1] if videos[video] else None
        if before and segment.start < before.end:
            faults.append(f"  line {number}: {line!r}: begins before the last one ends")
        videos[video].append(segment)
    if faults:
        shown = "\n".join(faults[:5])
        sys.exit(
            f"{path} has {len(faults)} wrong lines of {len(lines)}; each must read "
            f"'video,code,id,first frame,last frame,frames':\n{shown}"
        )
    return dict(videos)


def find_annotations(source: Path) -> dict[str, dict[str, list[Segment]]]:
    """Find the two official lists under a folder.

    Raises:
        SystemExit: One is missing, or comes twice; a video is in both.
    """
    found = {}
    for split, name in SPLITS.items():
        paths = sorted(source.rglob(name))
        if len(paths) != 1:
            where = ", ".join(map(str, paths)) or "nowhere"
            sys.exit(f"Expected {name} once under {source}, found it {where}.")
        found[split] = read_annotations(paths[0])
    both = sorted(set(found["train"]) & set(found["test"]))
    if both:
        sys.exit(f"Videos to train on are tested as well: {both}")
    return found


def find_pictures(source: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the frame folders and the video files under a folder, by video."""
    folders, files = {}, {}
    for parent, _, names in os.walk(source):
        path = Path(parent)
        if f"{path.name}_000001.jpg" in names:
            folders[path.name] = path
        for name in map(Path, names):
            if name.suffix.lower() in VIDEO_SUFFIXES and not name.stem.startswith("."):
                files[name.stem] = path / name
    return folders, files


def link(source: Path, target: Path) -> None:
    """Give a file another name without a copy of it, where the disk allows."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def take_frames(video: str, folder: Path, target: Path) -> int:
    """Link a video's official frames as ``00001.jpg`` ....

    Returns:
        How many there are.

    Raises:
        ValueError: One between the first and the last is missing.
    """
    count = sum(1 for _ in folder.glob(f"{video}_*.jpg"))
    sources = [folder / f"{video}_{number:06}.jpg" for number in range(1, count + 1)]
    if missing := [path.name for path in sources if not path.is_file()]:
        raise ValueError(f"{folder}: {missing[0]} is missing among {count} frames")
    for number, path in enumerate(sources, 1):
        link(path, target / f"{number:05}.jpg")
    return count


def extract_frames(path: Path, target: Path) -> int:
    """Write a video's frames as ``00001.jpg`` ..., in the size of the official ones.

    Returns:
        How many there are.

    Raises:
        ValueError: The video is damaged.
    """
    count = 0
    with open_video(path) as video:
        for frame in video:
            count += 1
            picture = cv2.resize(frame.image, FRAME_SIZE, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(target / f"{count:05}.jpg"), picture[..., ::-1])
    return count


def within(segments: list[Segment], length: int) -> Iterator[Segment]:
    """Cut what the annotations place behind a video's last frame."""
    for segment in segments:
        if segment.start < length:
            yield Segment(segment.label, segment.start, min(segment.end, length))


def write_split(
    out: Path, split: str, segments: dict[str, list[Segment]], files: dict[str, Path]
) -> None:
    """Write the list of single gestures, the timelines, and name the videos."""
    for folder in ("timelines", "videos"):
        (out / split / folder).mkdir(parents=True, exist_ok=True)
    lines = []
    for video, parts in sorted(segments.items()):
        length = sum(1 for _ in (out / "frames" / video).glob("*.jpg"))
        events = [
            dict(
                name=CLASSES[part.label],
                label=part.label,
                start_frame=part.start,
                end_frame=part.end,
                core_start_frame=part.start,
                core_end_frame=part.end,
            )
            for part in within(parts, length)
            if part.label != NO_GESTURE
        ]
        lines += [
            f"{video} {event['start_frame']} "
            f"{event['end_frame'] - event['start_frame']} {event['label']}"
            for event in events
        ]
        content = dict(fps=FPS, num_frames=length, events=events)
        timeline = out / split / "timelines" / f"{video}.json"
        timeline.write_text(json.dumps(content, indent=1), encoding="utf-8")
        if video in files:
            link(files[video], out / split / "videos" / files[video].name)
    write_lines(out / f"{split}_isolated.txt", lines)
    shown = sum(video in files for video in segments)
    print(
        f"{split}: {len(segments)} videos, {len(lines)} gestures, {shown} video files"
    )


def convert(source: Path, out: Path, skip_damaged: bool) -> None:
    """Convert the data set.

    Raises:
        SystemExit: Something is missing or damaged.
    """
    splits = find_annotations(source)
    folders, files = find_pictures(source)
    faults = []
    for segments in splits.values():
        for video in sorted(segments):
            target = out / "frames" / video
            target.mkdir(parents=True, exist_ok=True)
            for stale in target.glob("*.jpg"):
                stale.unlink()
            try:
                if video in folders:
                    length = take_frames(video, folders[video], target)
                elif video in files:
                    length = extract_frames(files[video], target)
                else:
                    raise ValueError(f"{video}: neither frames nor a video file")
                if length < segments[video][-1].start:
                    raise ValueError(
                        f"{video}: {length} frames, but its last segment begins at "
                        f"{segments[video][-1].start + 1}"
                    )
            except ValueError as error:
                faults.append(str(error))
                del segments[video]
    for fault in faults:
        print(f"Damaged or missing: {fault}", file=sys.stderr)
    if faults and not skip_damaged:
        sys.exit(
            f"{len(faults)} videos are not whole, no lists written: get them again, or "
            "leave them out with --skip-damaged and say so with the results."
        )
    write_lines(out / "label_map.txt", list(CLASSES))
    for split, segments in splits.items():
        write_split(out, split, segments, files)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder of the unpacked archives")
    parser.add_argument(
        "--out", type=Path, default=Path("data/ipn_hand"), help="folder to fill"
    )
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="write lists without videos that are missing or damaged; results are "
        "then not comparable",
    )
    args = parser.parse_args()
    if not args.source.is_dir():
        parser.error(f"{args.source} is not a folder")
    if args.out.resolve().is_relative_to(args.source.resolve()):
        parser.error(f"--out {args.out} lies in {args.source}: choose a folder beside")
    return args


if __name__ == "__main__":
    arguments = parse_args()
    convert(arguments.source, arguments.out, arguments.skip_damaged)
