"""Folders as people have them: every entry is taken once or named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lcr_runtime.folders import scan_folder


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_unusual_names_and_formats_are_taken(tmp_path: Path) -> None:
    wanted = ["a/1.WEBM", "a/2.gif", "a/b c/3.mkv", "a/d/4.mts", "手/ü 5.Mov", "z.mp4"]
    make(tmp_path, *wanted)
    scan = scan_folder(tmp_path)
    assert names(tmp_path, scan.videos) == sorted(wanted)
    assert not scan.left_out and not scan.report()


def test_everything_else_is_named_with_the_reason(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp4", "a/.DS_Store", "a/._1.mp4", ".ipynb_checkpoints/1.mp4")
    make(tmp_path, "__MACOSX/a/1.mp4", "a/Thumbs.db", "a/notes.txt", "empty/x")
    (tmp_path / "a" / "film").write_bytes(b"\0\0\0\x20ftypisom")
    os.mkfifo(tmp_path / "a" / "pipe.mp4")
    scan = scan_folder(tmp_path)
    found = {reason: names(tmp_path, paths) for reason, paths in scan.left_out.items()}
    assert found == {
        "hidden files or folders": [".ipynb_checkpoints", "a/.DS_Store", "a/._1.mp4"],
        "files or folders of the system": ["__MACOSX", "a/Thumbs.db"],
        "files that are no videos": ["a/notes.txt", "empty/x"],
        "videos by their content, but not by the ending of their name": ["a/film"],
        "that are no files (pipes, sockets, devices)": ["a/pipe.mp4"],
    }
    assert names(tmp_path, scan.videos) == ["a/1.mp4"]
    assert names(tmp_path, scan.empty_folders) == ["empty"]
    for paths in found.values():
        assert all(path in scan.report() for path in paths)


def test_links(tmp_path: Path) -> None:
    make(tmp_path, "data/a/1.mp4", "elsewhere/2.mp4")
    root = tmp_path / "data"
    os.symlink(tmp_path / "elsewhere", root / "b")
    os.symlink(tmp_path / "elsewhere" / "2.mp4", root / "c.mp4")
    os.symlink(root, root / "a" / "loop")
    os.symlink("itself.mp4", root / "a" / "itself.mp4")
    os.symlink("nowhere.mp4", root / "a" / "broken.mp4")
    scan = scan_folder(root)
    assert names(root, scan.videos) == ["a/1.mp4", "b/2.mp4"]
    found = {reason: names(root, paths) for reason, paths in scan.left_out.items()}
    assert found == {
        "broken links": ["a/broken.mp4", "a/itself.mp4"],
        "links to a folder that they lie in": ["a/loop"],
        "that are the same file as another, by a link": ["c.mp4"],
    }


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        scan_folder(tmp_path / "nowhere")
