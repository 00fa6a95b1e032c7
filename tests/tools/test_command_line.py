"""Arguments that the tools have in common."""

from __future__ import annotations

import argparse
import os

import pytest

from lcr_mmaction.command_line import (
    input_file,
    model_parser,
    output_file,
    output_folder,
    positive,
)
from lcr_mmaction.deployment import shipped_model


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("kept")
    (tmp_path / "folder").mkdir()


def test_the_models_that_ship_have_a_word_for_them():
    args = model_parser("").parse_args(["shipped", "shipped"])
    assert (args.config, args.checkpoint) == tuple(map(str, shipped_model()))
    url = "https://host/x.pth"
    assert model_parser("").parse_args(["file.txt", url]).checkpoint == url
    assert model_parser("", optional=True).parse_args([]).config is None


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (input_file, "none.txt", "not there"),
        (input_file, "folder", "a folder"),
        (output_file(), "folder", "is a folder"),
        (output_file(), "none/x.json", "no folder none"),
        (output_file(".mp4", ".gif"), "x.avi", "end in .mp4 or .gif"),
        (output_folder, "file.txt", "cannot be made a folder"),
        (positive(int), "1.5", "not a whole number above 0"),
        (positive(float), "nan", "not a number above 0"),
        (positive(float), "-2", "-2 is not"),
    ],
)
def test_what_cannot_be_is_named(kind, text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        kind(text)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_what_may_not_be_written_is_named(tmp_path):
    (tmp_path / "folder").chmod(0o500)
    with pytest.raises(argparse.ArgumentTypeError, match="may not be written"):
        output_file()("folder/x.json")


def test_what_is_fine_passes_untouched(tmp_path):
    assert output_file(".txt")("file.txt").read_text() == "kept"
    assert output_folder("new/folder").is_dir()
    assert positive(int)("3") == 3 and positive(float)("0.5") == 0.5
