"""tools/data/jester/build_lists.py on a miniature of the official layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from renderer.classes import CLASSES

import lcr_mmaction

TOOL = Path(__file__).parents[2] / "tools" / "data" / "jester" / "build_lists.py"
TRAIN = {"34870": "Drumming Fingers", "56557": "Sliding Two Fingers Right"}
VALIDATION = {"9223": "No gesture", "7": "Swiping Left"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A correct download of four clips with 5, 6, 7 and 8 frames."""
    jpeg = cv2.imencode(".jpg", np.full((100, 132, 3), 90, np.uint8))[1].tobytes()
    for total, clip in enumerate([*TRAIN, *VALIDATION], 5):
        folder = tmp_path / "20bn-jester-v1" / clip
        folder.mkdir(parents=True)
        for index in range(1, total + 1):
            (folder / f"{index:05}.jpg").write_bytes(jpeg)
    write_csv(tmp_path, "labels", "\n".join(reversed(CLASSES)))
    for name, clips in (("train", TRAIN), ("validation", VALIDATION)):
        write_csv(tmp_path, name, "\n".join(f"{k};{v}" for k, v in clips.items()))
    return tmp_path


def write_csv(root: Path, name: str, text: str) -> None:
    (root / f"jester-v1-{name}.csv").write_text(text + "\n")


def build(root: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TOOL), str(root), *args], capture_output=True, text=True
    )


def lists(root: Path) -> list[Path]:
    return sorted(root.glob("jester_*_list_rawframes.txt"))


def test_lists_hold_frame_counts_and_mmaction2_labels(root):
    run = build(root)
    assert run.returncode == 0, run.stderr
    train, val = lists(root)
    assert train.name == "jester_train_list_rawframes.txt"
    assert train.read_text() == "20bn-jester-v1/34870 5 24\n20bn-jester-v1/56557 6 7\n"
    assert val.read_text() == "20bn-jester-v1/9223 7 25\n20bn-jester-v1/7 8 0\n"


@pytest.mark.parametrize("code", ["utf-8-sig", "utf-16"])
def test_files_that_a_spreadsheet_saved(root, code):
    for path in root.glob("*.csv"):
        text = path.read_text().replace("\n", "\r\n")
        path.write_bytes(text.encode(code))
    (root / "20bn-jester-v1" / "9223" / "._00001.jpg").write_bytes(b"resource fork")
    run = build(root)
    assert run.returncode == 0, run.stderr
    assert lists(root)[1].read_text().startswith("20bn-jester-v1/9223 7 25\n")
    (root / "jester-v1-train.csv").write_bytes("34870;Schütteln".encode("cp1252"))
    run = build(root)
    assert run.returncode != 0 and "jester-v1-train.csv is not a text" in run.stderr


def test_mmaction2_reads_the_result(root):
    assert build(root).returncode == 0
    assert lcr_mmaction.__version__
    init_default_scope("mmaction")
    for name in ("RawframeDataset", "CheckedRawframeDataset"):
        dataset = DATASETS.build(
            dict(
                type=name,
                data_root=str(root),
                ann_file="jester_train_list_rawframes.txt",
                filename_tmpl="{:05}.jpg",
                data_prefix=dict(img=""),
                pipeline=[
                    dict(type="SampleFrames", clip_len=5),
                    dict(type="RawFrameDecode"),
                    dict(type="FormatShape", input_format="NCTHW"),
                    dict(type="PackActionInputs"),
                ],
            )
        )
        assert dataset[1]["inputs"].shape == (1, 3, 5, 100, 132)


def test_label_map_is_the_package_order():
    names = TOOL.with_name("label_map.txt").read_text().splitlines()
    assert tuple(names) == CLASSES


@pytest.mark.parametrize("missing", ["20bn-jester-v1", "jester-v1-validation.csv"])
def test_missing_parts_of_the_download(root, missing):
    (root / missing).rename(root / "elsewhere")
    run = build(root)
    assert run.returncode != 0
    assert f"Not found: {root / missing}." in run.stderr
    assert not lists(root)


def remove_folder(root: Path) -> None:
    (root / "20bn-jester-v1" / "9223").rename(root / "elsewhere")


def remove_frame(root: Path) -> None:
    (root / "20bn-jester-v1" / "9223" / "00002.jpg").unlink()


def empty_frame(root: Path) -> None:
    (root / "20bn-jester-v1" / "9223" / "00002.jpg").write_bytes(b"")


def remove_frames(root: Path) -> None:
    for path in (root / "20bn-jester-v1" / "9223").iterdir():
        path.unlink()


FAULTY_FOLDERS = {
    "missing frame folders: 1": remove_folder,
    "frame folders with gaps": remove_frame,
    "frame folders with empty JPEGs: 1": empty_frame,
    "frame folders without a JPEG: 1": remove_frames,
}


@pytest.mark.parametrize("report", FAULTY_FOLDERS)
def test_faulty_frame_folders_are_reported_and_can_be_left_out(root, report):
    FAULTY_FOLDERS[report](root)
    run = build(root)
    assert run.returncode != 0
    assert report in run.stderr and "20bn-jester-v1/9223" in run.stderr
    assert not lists(root)
    run = build(root, "--skip-faulty")
    assert run.returncode == 0, run.stderr
    assert lists(root)[1].read_text() == "20bn-jester-v1/7 8 0\n"


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("56557,Swiping Left", "lines that are not '<id>;<class name>': 1"),
        ("", "lines that are not '<id>;<class name>': 1"),
        ("56557;Waving", "unknown class names: 1"),
        ("34870;No gesture", "clips listed twice: 1"),
        ("7;No gesture", "clips in both training and validation: 1"),
    ],
)
def test_faulty_lines_are_reported(root, line, report):
    write_csv(root, "train", f"34870;Drumming Fingers\n{line}")
    run = build(root)
    assert run.returncode != 0
    assert report in run.stderr
    assert not lists(root)


def test_labels_of_another_data_set(root):
    write_csv(root, "labels", "\n".join([*CLASSES[1:], "Waving"]))
    run = build(root)
    assert run.returncode != 0
    assert "Unknown: ['Waving']; missing: ['Swiping Left']" in run.stderr


def test_nothing_usable_is_never_written(root):
    for clip in VALIDATION:
        (root / "20bn-jester-v1" / clip).rename(root / clip)
    run = build(root, "--skip-faulty")
    assert run.returncode != 0
    assert "splits without a usable clip: 1" in run.stderr
    assert not lists(root)
