"""Finding the videos in a folder, and saying of everything else why it is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# What ffmpeg reads, by the ending of the name.
_ENDINGS = (
    ".3g2 .3gp .asf .avi .divx .f4v .flv .gif .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov "
    ".mp4 .mpeg .mpg .mts .mxf .ogm .ogv .qt .ts .vob .webm .wmv .y4m"
)
EXTENSIONS = frozenset(_ENDINGS.split())
# What operating systems and network storage put into folders, in lower case.
_OF_THE_SYSTEM = {
    "__macosx",
    "__pycache__",
    "@eadir",
    "$recycle.bin",
    "desktop.ini",
    "ehthumbs.db",
    "lost+found",
    "system volume information",
    "thumbs.db",
}
# Beginnings of video files, with where they stand.
_BEGINNINGS = (
    (4, b"ftyp"),
    (0, b"\x1a\x45\xdf\xa3"),
    (0, b"GIF8"),
    (0, b"FLV\x01"),
    (0, b"OggS"),
    (0, b"\x00\x00\x01\xba"),
    (0, b"\x00\x00\x01\xb3"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    (8, b"AVI "),
)
_SHOWN = 5


@dataclass
class Scan:
    """What a folder holds.

    Attributes:
        videos: Paths of videos, sorted.
        left_out: Paths of all else, by the reason.
        empty_folders: Folders in which there was nothing to take.
    """

    videos: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    empty_folders: list[Path] = field(default_factory=list)

    def leave_out(self, reason: str, path: Path) -> None:
        """Note a path that is not taken."""
        self.left_out.setdefault(reason, []).append(path)

    def report(self) -> str:
        """Say what is left out and why, one reason a paragraph; empty if nothing is."""
        lines = []
        for reason, paths in self.left_out.items():
            lines.append(f"Left out {len(paths)} {reason}:")
            lines += [f"  {os.fspath(path)!r}" for path in paths[:_SHOWN]]
            if len(paths) > _SHOWN:
                lines.append(f"  ... and {len(paths) - _SHOWN} more")
        return "\n".join(lines)


def scan_folder(root: str | Path) -> Scan:
    """Find all videos under a folder.

    Links are followed, but not in circles, and a file that is reached twice is taken
    once. Hidden files and folders, and those that systems leave behind, are left out.

    Args:
        root: The folder.

    Raises:
        OSError: It or a folder in it cannot be read.
    """
    scan = Scan()
    seen: dict[tuple[int, int], Path] = {}
    for path in _files(Path(root), scan, ancestors=()):
        status = path.stat()
        identity = status.st_dev, status.st_ino
        if identity in seen:
            reason = "that are the same file as another, by a link"
            scan.leave_out(reason, path)
        else:
            seen[identity] = path
            scan.videos.append(path)
    return scan


def _files(
    folder: Path, scan: Scan, ancestors: tuple[tuple[int, int], ...]
) -> Iterator[Path]:
    status = folder.stat()
    identity = status.st_dev, status.st_ino
    if identity in ancestors:
        scan.leave_out("links to a folder that they lie in", folder)
        return
    found = False
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = Path(entry.path)
        if entry.name.startswith("."):
            scan.leave_out("hidden files or folders", path)
        elif entry.name.lower() in _OF_THE_SYSTEM:
            scan.leave_out("files or folders of the system", path)
        elif path.is_dir():
            found = True
            yield from _files(path, scan, (*ancestors, identity))
        elif not path.exists():
            scan.leave_out("broken links", path)
        elif not path.is_file():
            scan.leave_out("that are no files (pipes, sockets, devices)", path)
        elif path.suffix.lower() in EXTENSIONS:
            found = True
            yield path
        else:
            scan.leave_out(_why_no_video(path), path)
    if not found:
        scan.empty_folders.append(folder)


def _why_no_video(path: Path) -> str:
    with open(path, "rb") as file:
        start = file.read(16)
    for offset, magic in _BEGINNINGS:
        if start[offset : offset + len(magic)] == magic:
            return "videos by their content, but not by the ending of their name"
    return "files that are no videos"
