"""Faults in list files, and clips that are not where the list says."""

from __future__ import annotations

import shutil

import pytest
from mmaction.registry import DATASETS

from lcr_mmaction.datasets import ListFileError, MissingClipsError


def build(project, split="train", **changes):
    return DATASETS.build(project.dataset(split, **changes))


def test_sound_lists_load_like_the_stock_dataset(project):
    checked = build(project)
    config = project.dataset("train")
    config["type"] = config["type"].removeprefix("Checked")
    stock = DATASETS.build(config)
    assert len(checked) == len(stock) == 6
    for index in range(6):
        assert checked.get_data_info(index) == stock.get_data_info(index)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda line: "", "line 2: blank; delete it"),
        (lambda line: line.replace(" ", ","), "line 2: .*by a space, not a comma"),
        (lambda line: line.replace(" ", ", "), "line 2: .*by a space, not a comma"),
        (lambda line: "148092;Thumb Up", "line 2: .*build_lists.py"),
        (lambda line: line.rsplit(" ", 1)[0], "line 2: wrong columns"),
        (lambda line: line[:-1] + "wave", "line 2: label is not an integer"),
        (lambda line: line[:-1] + "-1", "line 2: label is -1"),
    ],
    ids=[
        "blank",
        "comma",
        "comma-space",
        "official-csv",
        "no-label",
        "text-label",
        "negative",
    ],
)
def test_a_bad_line_is_named(project, spoil, fault):
    lines = project.lines("train")
    lines[1] = spoil(lines[1])
    project.write_list("train", lines)
    with pytest.raises(ListFileError, match=f"train.txt has 1 bad line.*\n  {fault}"):
        build(project)


def test_frame_count_of_zero(frame_project):
    frame_project.write_list("train", ["train0 0 1"])
    with pytest.raises(ListFileError, match="line 1: total_frames is 0"):
        build(frame_project)


def test_many_bad_lines_are_counted_but_not_all_shown(project):
    project.write_list("train", ["nonsense"] * 100)
    with pytest.raises(ListFileError) as caught:
        build(project)
    message = str(caught.value)
    assert "100 bad line(s) of 100" in message and "and 95 more" in message
    assert len(message.splitlines()) < 10


def test_empty_list(project):
    project.write_list("train", [])
    with pytest.raises(ListFileError, match="is empty: it lists no clip"):
        build(project)


def test_binary_list(project):
    (project.root / "train.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    with pytest.raises(ListFileError, match="is not a text file"):
        build(project)


def test_missing_data_root(project):
    with pytest.raises(ListFileError, match="nowhere does not exist either"):
        build(project, data_root=str(project.root / "nowhere"))


def test_missing_list(project):
    with pytest.raises(ListFileError, match="List file .*not found.*exists. Check"):
        build(project, ann_file="trian.txt")


def test_missing_clips(project):
    names = [line.split()[0] for line in project.lines("train")]
    for name in names[:2]:
        path = project.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(MissingClipsError) as caught:
        build(project)
    message = str(caught.value)
    assert "2 of the 6 clips" in message
    assert all(name in message for name in names[:2])
    assert "no such fi" in message or "no such folder" in message
    assert len(build(project, check_files=False)) == 6


@pytest.mark.parametrize("frame", [1, 4, 8])
def test_a_frame_folder_with_a_gap(frame_project, frame):
    (frame_project.root / "train3" / f"{frame:05}.jpg").unlink()
    with pytest.raises(
        MissingClipsError,
        match=f"train3: 1 of the 8 listed frames missing, the first is {frame:05}.jpg",
    ):
        build(frame_project)


def test_a_list_that_promises_more_frames_than_there_are(frame_project):
    frame_project.write_list("train", ["train0 12 0"])
    with pytest.raises(MissingClipsError, match="4 of the 12 .* is 00009.jpg"):
        build(frame_project)


def test_offsets_are_understood(frame_project):
    frame_project.write_list("train", ["train0 2 6 1"])
    dataset = build(frame_project, with_offset=True)
    info = dataset.get_data_info(0)
    assert (info["offset"], info["total_frames"], info["label"]) == (2, 6, 1)
    frame_project.write_list("train", ["train0 3 6 1"])
    with pytest.raises(MissingClipsError, match="first is 00009.jpg"):
        build(frame_project, with_offset=True)


def test_paths_with_spaces(project):
    line = project.lines("train")[0]
    name = line.split()[0]
    (project.root / name).rename(project.root / f"my {name}")
    project.write_list("train", [f"my {line}"])
    assert build(project)[0]["inputs"].shape == (1, 4, 4, 32, 32)


def test_lists_of_several_labels_load_like_the_stock_dataset(project):
    lines = [line.rsplit(" ", 1)[0] for line in project.lines("train")]
    labels = ["0 2", "1", "", "0 1 2", "2", "1 0"]
    project.write_list(
        "train", [f"{a} {b}".strip() for a, b in zip(lines, labels, strict=True)]
    )
    several = dict(multi_class=True, num_classes=3)
    checked = build(project, **several)
    config = project.dataset("train", **several)
    config["type"] = config["type"].removeprefix("Checked")
    stock = DATASETS.build(config)
    for index in range(6):
        row = checked.get_data_info(index)["label"]
        # Stock makes the last class of a frame folder without a label.
        if index != 2 or project.kind == "video":
            assert row.tolist() == stock.get_data_info(index)["label"].tolist()
        assert checked.get_cat_ids(index) == [int(n) for n in labels[index].split()]
    assert checked[3]["data_samples"].gt_label.tolist() == [1, 1, 1]
    with pytest.raises(ListFileError, match="train0.* has label 2"):
        build(project, multi_class=True, num_classes=2)
    with pytest.raises(ValueError, match="multi_class=True needs num_classes"):
        build(project, multi_class=True)


def test_rare_classes_can_be_repeated(project):
    lines = project.lines("train")
    project.write_list("train", [*lines[:2], lines[3], lines[3]])  # labels 0 1 0 0
    wrapped = DATASETS.build(
        dict(
            type="ClassBalancedDataset",
            oversample_thr=1.0,
            dataset=project.dataset("train"),
        )
    )
    labels = [wrapped.get_data_info(index)["label"] for index in range(len(wrapped))]
    assert labels.count(1) == 2 and wrapped[0]["inputs"].shape == (1, 4, 4, 32, 32)


def test_a_subset_counts_its_own_damaged_clips(project):
    subset = build(project).get_subset([5, 5, 5, 1, 2, 3, 4, 0])
    assert len(list(subset)) == 8
