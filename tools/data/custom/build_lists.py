"""Turn a folder of videos per class into list files for training.

Usage::

    python tools/data/custom/build_lists.py data/custom

reads ``data/custom/<class name>/<video>`` and writes ``train_list.txt``,
``val_list.txt`` and ``label_map.txt`` into ``data/custom``. If file names tell who is
seen, keep every person in one list: ``--group '/([a-z]+)_'`` takes what the parentheses
match in ``wave/anna_2.mp4``, here ``anna``; ``--hold-out anna`` validates on her.
"""

from __future__ import annotations

import argparse
import random
import re
import shlex
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lcr_runtime.folders import EXTENSIONS, scan_folder
from lcr_runtime.text import is_one_line, write_lines

# A data set that somebody has split already.
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


def find_clips(root: Path) -> dict[str, list[str]]:
    """Return the videos of each class, as sorted paths relative to ``root``.

    Everything else is named on the screen.

    Raises:
        SystemExit: There are no two classes with videos, or folders, files or names
            that cannot be meant.
    """
    if not root.is_dir():
        sys.exit(f"{root} is not a folder.")
    try:
        scan = scan_folder(root)
    except OSError as error:
        sys.exit(f"Cannot read {error.filename}: {error.strerror}.")
    clips: dict[str, list[str]] = {}
    for video in scan.videos:
        path = video.relative_to(root)
        if not is_one_line(str(path)):
            sys.exit(
                f"{str(video)!r} has characters that no list file can hold: rename the "
                "file or folder."
            )
        if len(path.parts) == 1:
            scan.leave_out("videos that lie in no class folder", video)
        else:
            clips.setdefault(path.parts[0], []).append(path.as_posix())
    for folder in scan.empty_folders:
        if folder.parent == root and folder.name not in clips:
            print(f"No class made of {folder}: it holds no video.")
    if report := scan.report():
        print(report)
    check_classes(root, clips)
    empty = [path for path in scan.videos if path.stat().st_size == 0]
    if empty:
        sys.exit(f"{len(empty)} empty video files, e.g. {empty[0]}: remove them.")
    return dict(sorted((name, sorted(paths)) for name, paths in clips.items()))


def check_classes(root: Path, clips: dict[str, list[str]]) -> None:
    """Refuse folders that are no classes.

    Raises:
        SystemExit: They are too few, a split, alike, or named with spaces around.
    """
    if len(clips) < 2:
        sys.exit(
            f"{root} has {len(clips)} class folders with videos, at least 2 are "
            f"needed: {root}/<class name>/<video>{{{','.join(sorted(EXTENSIONS))}}}"
        )
    if {name.lower() for name in clips} <= SPLITS:
        sys.exit(
            f"The folders of {root} are {', '.join(sorted(clips))}: parts of a split, "
            "not classes. Put the class folders of all parts into one folder."
        )
    alike: dict[str, str] = {}
    for name in clips:
        if name != name.strip():
            sys.exit(f"The name of {str(root / name)!r} has spaces around: rename it.")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in alike:
            sys.exit(
                f"{str(root / alike[key])!r} and {str(root / name)!r} differ by "
                "upper and lower case or the coding of accents alone: are they one "
                "class? Join or rename them."
            )
        alike[key] = name


def split_clips(
    clips: dict[str, list[str]], val_ratio: float, seed: int
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Split every class by itself, so that both splits have the same mixture.

    A class of two or more clips has at least one in either split; a single clip
    goes to training.
    """
    train, val = {}, {}
    for name, paths in clips.items():
        # A generator per class: adding a class leaves the others' split alone.
        order = random.Random(f"{seed}/{name}").sample(paths, len(paths))
        num_val = min(max(1, round(val_ratio * len(paths))), len(paths) - 1)
        val[name], train[name] = sorted(order[:num_val]), sorted(order[num_val:])
    return train, val


def split_groups(
    clips: dict[str, list[str]],
    group: re.Pattern[str],
    val_ratio: float,
    seed: int,
    hold_out: Sequence[str] | None = None,
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Split by person (or scene): all clips of a group go to the same list.

    Args:
        clips: Paths of each class.
        group: Its first group, in a clip's path, names the clip's group.
        val_ratio: Share of the groups to validate on, at least one of them.
        seed: Of the choice of groups.
        hold_out: The groups to validate on, instead of a choice.

    Raises:
        SystemExit: A path does not match, there is only one group, or ``hold_out``
            has a group that is none or leaves none to train.
    """
    of_clip = {}
    for path in sum(clips.values(), []):
        match = group.search(path)
        if match is None:
            sys.exit(f"--group {group.pattern!r} matches nothing in {path!r}.")
        of_clip[path] = match[1]
    groups = sorted(set(of_clip.values()))
    if len(groups) < 2:
        sys.exit(f"--group finds one group only, {groups}: two are needed to split.")
    order = random.Random(seed).sample(groups, len(groups))
    held_out = set(
        order[: min(max(1, round(val_ratio * len(groups))), len(groups) - 1)]
        if hold_out is None
        else hold_out
    )
    if unknown := held_out.difference(groups):
        sys.exit(
            f"--hold-out {', '.join(sorted(unknown))}: the groups that --group finds "
            f"are {', '.join(groups)}."
        )
    if len(held_out) == len(groups):
        sys.exit(f"--hold-out names all groups, {', '.join(groups)}: none is left.")
    print(f"Validation: {', '.join(sorted(held_out))} of {len(groups)} groups")
    train, val = {}, {}
    for name, paths in clips.items():
        val[name] = [path for path in paths if of_clip[path] in held_out]
        train[name] = [path for path in paths if of_clip[path] not in held_out]
    return train, val


def list_lines(clips: dict[str, list[str]]) -> list[str]:
    """Make ``<path> <label>`` lines; labels follow the order of the classes."""
    return [
        f"{clip} {label}"
        for label, paths in enumerate(clips.values())
        for clip in paths
    ]


def print_table(train: dict[str, list[str]], val: dict[str, list[str]]) -> None:
    """Show the classes with their clips in both splits."""
    print(f"{'label':>5} {'train':>6} {'val':>6}  class")
    for label, name in enumerate(train):
        note = "" if val[name] else "  <- only one clip: none left to validate"
        if not val[name] and len(train[name]) > 1:
            note = "  <- in none of the groups to validate"
        if not train[name]:
            note = "  <- none to train: only in the groups to validate"
        print(f"{label:>5} {len(train[name]):>6} {len(val[name]):>6}  {name}{note}")


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of class folders")
    parser.add_argument(
        "--val-ratio", type=float, default=0.2, help="share to validate on (0.2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (0)")
    parser.add_argument(
        "--group",
        type=re.compile,
        metavar="REGEX",
        help="keep clips with the same first group of REGEX, e.g. a person, together",
    )
    parser.add_argument(
        "--hold-out",
        nargs="+",
        metavar="NAME",
        help="validate on these groups of --group, instead of on some of them",
    )
    args = parser.parse_args()
    if args.group and not args.group.groups:
        parser.error(f"--group {args.group.pattern!r} has no parentheses")
    if args.hold_out and not args.group:
        parser.error("--hold-out names groups: give --group, which finds them")
    if not 0 < args.val_ratio < 1:
        parser.error(f"--val-ratio must lie between 0 and 1, got {args.val_ratio}")
    return args


def main() -> None:
    """Write the lists and say what to put into the config."""
    args = parse_args()
    clips = find_clips(args.root)
    if args.group:
        train, val = split_groups(
            clips, args.group, args.val_ratio, args.seed, args.hold_out
        )
    else:
        train, val = split_clips(clips, args.val_ratio, args.seed)
    if not any(val.values()):
        sys.exit("Every class has a single clip: nothing is left to validate on.")
    files = {
        "label_map.txt": list(clips),
        "train_list.txt": list_lines(train),
        "val_list.txt": list_lines(val),
    }
    for name, lines in files.items():
        write_lines(args.root / name, lines)
    print_table(train, val)
    print(
        f"Wrote train_list.txt, val_list.txt and label_map.txt to {args.root}.\n"
        "Look for damaged videos with tools/data/custom/scan_videos.py; then train "
        f"on the {len(clips)} classes:\n"
        f"CUSTOM_ROOT={shlex.quote(str(args.root))} "
        "python tools/train.py configs/lcr_custom.py"
    )


if __name__ == "__main__":
    main()
