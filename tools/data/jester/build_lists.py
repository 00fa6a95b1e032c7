"""Check a Jester download and write the list files MMAction2 reads.

Usage::

    python tools/data/jester/build_lists.py data/jester

The folder holds ``20bn-jester-v1/<id>/00001.jpg ...`` and the official
``jester-v1-{labels,train,validation}.csv``. The lists are written beside them as
``jester_{train,val}_list_rawframes.txt`` with lines
``20bn-jester-v1/<id> <number of frames> <label>``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lcr_runtime.text import TextFileError, read_label_map, read_lines, write_lines

FRAMES = "20bn-jester-v1"
SPLITS = {"train": "train", "validation": "val"}
LABEL_MAP = Path(__file__).with_name("label_map.txt")


class Faults:
    """Collects what is wrong, and shows the first few of each kind."""

    shown = 5

    def __init__(self) -> None:
        self.by_kind: dict[str, list[str]] = {}

    def add(self, kind: str, detail: str) -> None:
        """Note one fault."""
        self.by_kind.setdefault(kind, []).append(detail)

    def __str__(self) -> str:
        """Return the report."""
        lines = []
        for kind, details in self.by_kind.items():
            lines.append(f"{kind}: {len(details)}")
            lines += [f"    {detail}" for detail in details[: self.shown]]
            if len(details) > self.shown:
                lines.append(f"    ... and {len(details) - self.shown} more")
        return "\n".join(lines)


def csv_lines(path: Path) -> list[str]:
    """Read the lines of an official CSV, also as a spreadsheet saves it.

    Raises:
        SystemExit: It is no text.
    """
    try:
        return read_lines(path)
    except TextFileError as error:
        sys.exit(str(error))


def read_labels(path: Path) -> dict[str, int]:
    """Map class names to MMAction2's labels, after checking the official names.

    Raises:
        SystemExit: The CSV names other classes than Jester's 27.
    """
    names = read_label_map(LABEL_MAP)
    official = [line.strip() for line in csv_lines(path) if line.strip()]
    if set(official) != set(names):
        unknown = sorted(set(official) - set(names))
        missing = sorted(set(names) - set(official))
        sys.exit(
            f"{path} does not name Jester's 27 classes. Unknown: {unknown or 'none'}; "
            f"missing: {missing or 'none'}."
        )
    return {name: label for label, name in enumerate(names)}


def read_split(
    path: Path, labels: dict[str, int], faults: Faults
) -> list[tuple[str, int]]:
    """Return ``(clip id, label)`` of the correct lines of one official CSV."""
    clips: dict[str, int] = {}
    for number, line in enumerate(csv_lines(path), 1):
        where = f"{path.name} line {number}: {line!r}"
        clip, delimiter, name = (part.strip() for part in line.partition(";"))
        if not delimiter:
            faults.add("lines that are not '<id>;<class name>'", where)
        elif name not in labels:
            faults.add("unknown class names", where)
        elif clip in clips:
            faults.add("clips listed twice", where)
        else:
            clips[clip] = labels[name]
    return list(clips.items())


def count_frames(folder: Path) -> tuple[int, str | None]:
    """Return the number of frames in a folder and what is wrong, if anything."""
    try:
        with os.scandir(folder) as entries:
            sizes = {
                entry.name: entry.stat().st_size
                for entry in entries
                # Not the files that some systems hide beside each, ._00001.jpg.
                if entry.name.endswith(".jpg") and not entry.name.startswith(".")
            }
    except (FileNotFoundError, NotADirectoryError):
        return 0, "missing frame folders"
    if not sizes:
        return 0, "frame folders without a JPEG"
    if any(f"{index:05}.jpg" not in sizes for index in range(1, len(sizes) + 1)):
        return len(sizes), "frame folders with gaps (not 00001.jpg, 00002.jpg, ...)"
    if 0 in sizes.values():
        return len(sizes), "frame folders with empty JPEGs"
    return len(sizes), None


def list_lines(
    root: Path, clips: Iterable[tuple[str, int]], faults: Faults
) -> list[str]:
    """Return the list lines of the clips whose frames are complete."""
    clips = list(clips)
    lines = []
    with ThreadPoolExecutor(8) as pool:
        folders = (root / FRAMES / clip for clip, _ in clips)
        results = pool.map(count_frames, folders)
        for done, ((clip, label), (total, fault)) in enumerate(
            zip(clips, results, strict=True), 1
        ):
            if fault:
                faults.add(fault, f"{FRAMES}/{clip}")
            else:
                lines.append(f"{FRAMES}/{clip} {total} {label}")
            if done % 1000 == 0 or done == len(clips):
                print(f"\r  {done} of {len(clips)} clips checked", end="", flush=True)
    print()
    return lines


def check_layout(root: Path) -> None:
    """Exit with a list of what the download lacks, if anything."""
    wanted = [root / FRAMES] + [
        root / f"jester-v1-{name}.csv" for name in ("labels", *SPLITS)
    ]
    missing = [str(path) for path in wanted if not path.exists()]
    if missing:
        sys.exit(
            "Not found: " + ", ".join(missing) + ". Put the official download into "
            f"{root} as tools/data/jester/README.md describes."
        )


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of the download")
    parser.add_argument(
        "--skip-faulty",
        action="store_true",
        help="write the lists without the faulty clips instead of stopping",
    )
    return parser.parse_args()


def main() -> None:
    """Check everything, report, and write the lists."""
    args = parse_args()
    check_layout(args.root)
    labels = read_labels(args.root / "jester-v1-labels.csv")
    faults = Faults()
    clips = {
        split: read_split(args.root / f"jester-v1-{split}.csv", labels, faults)
        for split in SPLITS
    }
    for clip in dict(clips["train"]).keys() & dict(clips["validation"]).keys():
        faults.add("clips in both training and validation", clip)
    lists = {}
    for split, entries in clips.items():
        print(f"{split}: {len(entries)} clips")
        lists[split] = list_lines(args.root, entries, faults)
        if not lists[split]:
            faults.add("splits without a usable clip", split)
    if faults.by_kind:
        print(f"Faults found in {args.root}:\n{faults}", file=sys.stderr)
        if not args.skip_faulty or not all(lists.values()):
            sys.exit("No list written. --skip-faulty leaves out what is faulty.")
    for split, name in SPLITS.items():
        path = args.root / f"jester_{name}_list_rawframes.txt"
        write_lines(path, lists[split])
        print(f"Wrote {path}: {len(lists[split])} clips")


if __name__ == "__main__":
    main()
