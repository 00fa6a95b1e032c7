"""Text files as people save them: read exactly, or refused with file and line."""

from __future__ import annotations

import codecs
import subprocess
import sys
from pathlib import Path

import pytest

from lcr_mmaction.datasets.annotations import ListFileError, read_list
from lcr_runtime import text
from lcr_runtime.text import (
    TextFileError,
    read_label_map,
    read_lines,
    write_lines,
)

LINES = ["wäve/clip 1.mp4 0", "挥手/x.mp4 1"]


@pytest.fixture(params=["", "\ufeff"], ids=["plain", "marked"])
def mark(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_utf8_from_any_system(tmp_path: Path, mark: str, end: str, last: bool) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes((mark + end.join(LINES) + end * last).encode())
    assert read_lines(path) == LINES


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_text_of_a_spreadsheet(tmp_path: Path, code: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(("\ufeff" + "\r\n".join(LINES) + "\r\n").encode(code))
    assert read_lines(path) == LINES
    assert read_list(str(path), ("label",)) == [
        ("wäve/clip 1.mp4", 0),
        ("挥手/x.mp4", 1),
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a 0\nwäve 1\n".encode("cp1252"), "UTF-8: line 2 has the bytes e4; save"),
        ("a 0\n".encode("utf-16-le"), r"line 1 has .*U\+0000 at position 2.*UTF-16"),
        (codecs.BOM_UTF16_LE + b"a\x00 ", "UTF-16-LE: line 1 has the bytes 20;"),
        (b"a 0\nb\xef\xbb\xbf 1\n", r"line 2 has .*U\+FEFF at position 2"),
        ("a 0\nb\u2028c 1\n".encode(), r"line 2 has .*U\+2028"),
        (b"a 0\n\x89PNG\x1a 1\n", "line 2 has the bytes 89"),
    ],
    ids=["windows", "unmarked-16", "odd-16", "joined", "separator", "binary"],
)
def test_what_would_be_a_guess_is_refused(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(TextFileError, match=f"list.txt is not .*{fault}"):
        read_lines(path)
    with pytest.raises(ListFileError, match=f"list.txt is not .*{fault}"):
        read_list(str(path), ("label",))
    with pytest.raises(TextFileError, match=f"list.txt is not .*{fault}"):
        read_label_map(path)


@pytest.mark.parametrize("number", ["1_0", "1e1", "²", "１", "0x1", "9" * 30])
def test_only_plain_numbers_are_labels(tmp_path: Path, number: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"a.mp4 0\nb.mp4 {number}\n", encoding="utf-8")
    with pytest.raises(ListFileError, match="line 2: label is "):
        read_list(str(path), ("label",))


def test_several_labels_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a.mp4 0 2\nb.mp4\n")
    rows = read_list(str(path), ("label",), many_labels=True)
    assert rows == [("a.mp4", [0, 2]), ("b.mp4", [])]
    path.write_text("a.mp4 0\nb c.mp4 1\n")
    with pytest.raises(ListFileError, match="line 2: label is not.*free of spaces"):
        read_list(str(path), ("label",), many_labels=True)
    path.write_text("a b.mp4,0, 1\n")
    rows = read_list(str(path), ("label",), ",", many_labels=True)
    assert rows == [("a b.mp4", [0, 1])]


def test_label_maps(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffnod\r\nshake head \r\n\r\n".encode())
    assert read_label_map(path) == ["nod", "shake head"]
    for content, fault in (
        ("nod\n\nwave\n", "line 2 is blank"),
        ("nod\nwave\nnod\n", "'nod' twice, in lines 1 and 3"),
        ("\n \n", "is empty"),
    ):
        path.write_text(content)
        with pytest.raises(TextFileError, match=f"labels.txt.*{fault}"):
            read_label_map(path)
    with pytest.raises(FileNotFoundError, match="absent.txt"):
        read_label_map(tmp_path / "absent.txt")


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\x00b", "a\udcffb", "\ufeffa"])
def test_only_what_can_be_read_back_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "list.txt"
    write_lines(path, LINES)
    assert read_lines(path) == LINES
    with pytest.raises(TextFileError, match="Line 2 of .*list.txt would be"):
        write_lines(path, ["fine 0", f"{name} 1"])
    assert read_lines(path) == LINES


def test_reading_text_needs_no_torch() -> None:
    code = f"import runpy, sys; runpy.run_path({text.__file__!r}); "
    code += "assert not {'torch', 'mmengine', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
