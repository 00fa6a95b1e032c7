"""tools/data/custom/: a folder of videos per class, and damaged videos."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

import lcr_mmaction

TOOLS = Path(__file__).parents[2] / "tools" / "data" / "custom"


def run_tool(name: str, *args: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TOOLS / f"{name}.py"), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def write_video(path: Path, codec: str = "libx264", width: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=12)
        stream.width, stream.height = width, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for step in range(12):
            picture = np.full((64, width, 3), 20 * step, np.uint8)
            picture[:, : 2 * step] = 255
            picture = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes of five clips, one name with a space in it."""
    for name in ("nod", "shake head", "wave"):
        for index in range(5):
            write_video(tmp_path / name / f"clip {index}.mp4")
    return tmp_path


def read(root: Path, name: str) -> list[str]:
    return (root / f"{name}.txt").read_text().splitlines()


def test_every_video_is_in_one_split_of_its_class(root):
    run = run_tool("build_lists", root)
    assert run.returncode == 0, run.stderr
    assert "the 3 classes" in run.stdout
    assert read(root, "label_map") == ["nod", "shake head", "wave"]
    train, val = read(root, "train_list"), read(root, "val_list")
    assert [len(train), len(val)] == [12, 3]
    expected = {
        f"{name}/clip {index}.mp4 {label}"
        for label, name in enumerate(["nod", "shake head", "wave"])
        for index in range(5)
    }
    assert set(train) | set(val) == expected
    assert sorted(line[-1] for line in val) == ["0", "1", "2"]


def test_a_group_is_in_one_split_only(root):
    """Clip numbers stand for people: all clips of a number stay together."""
    run = run_tool("build_lists", root, "--group", r"clip (\d)", "--val-ratio", 0.4)
    assert run.returncode == 0, run.stderr
    people = [
        {line.split("clip ")[1][0] for line in read(root, name)}
        for name in ("train_list", "val_list")
    ]
    assert not people[0] & people[1] and len(people[1]) == 2
    assert len(read(root, "train_list")) == 9
    for group, reason in ((r"(\d)x", "matches nothing"), (r"(cl)ip", "one group only")):
        run = run_tool("build_lists", root, "--group", group)
        assert run.returncode != 0 and reason in run.stderr


def test_who_is_held_out_can_be_named(root):
    run = run_tool("build_lists", root, "--group", r"clip (\d)", "--hold-out", 1, 4)
    assert run.returncode == 0, run.stderr
    held_out = {line.split("clip ")[1][0] for line in read(root, "val_list")}
    trained = {line.split("clip ")[1][0] for line in read(root, "train_list")}
    assert (held_out, trained) == ({"1", "4"}, {"0", "2", "3"})
    for options, reason in (
        (("--hold-out", 1), "give --group"),
        (("--group", r"clip (\d)", "--hold-out", 7), "0, 1, 2, 3, 4"),
        (("--group", r"clip (\d)", "--hold-out", *range(5)), "none is left"),
    ):
        run = run_tool("build_lists", root, *options)
        assert run.returncode != 0 and reason in run.stderr, run.stderr
        assert "Traceback" not in run.stderr


def test_the_split_follows_the_seed_and_the_ratio(root):
    splits = []
    for seed in (0, 0, 1):
        run_tool("build_lists", root, "--seed", seed)
        splits.append(read(root, "val_list"))
    assert splits[0] == splits[1] != splits[2]
    run_tool("build_lists", root, "--val-ratio", 0.4)
    assert len(read(root, "val_list")) == 6


def test_a_new_class_leaves_the_split_of_the_others_alone(root):
    run_tool("build_lists", root)
    before = {line.rsplit(" ", 1)[0] for line in read(root, "val_list")}
    write_video(root / "blink" / "a.mp4")
    write_video(root / "blink" / "b.mp4")
    run_tool("build_lists", root)
    after = {line.rsplit(" ", 1)[0] for line in read(root, "val_list")}
    assert before == {path for path in after if not path.startswith("blink")}


def test_the_lists_load_and_decode(root):
    assert run_tool("build_lists", root).returncode == 0
    assert lcr_mmaction.__version__
    init_default_scope("mmaction")
    dataset = DATASETS.build(
        dict(
            type="CheckedVideoDataset",
            data_root=str(root),
            ann_file="val_list.txt",
            data_prefix=dict(video=""),
            test_mode=True,
            pipeline=[
                dict(type="DecordInit"),
                dict(type="SampleFrames", clip_len=4, test_mode=True),
                dict(type="DecordDecode"),
                dict(type="FormatShape", input_format="NCTHW"),
                dict(type="PackActionInputs"),
            ],
        )
    )
    assert [clip["inputs"].shape[-1] for clip in dataset] == [64] * 3


def test_folders_that_make_no_data_set(tmp_path):
    run = run_tool("build_lists", tmp_path / "nowhere")
    assert run.returncode != 0 and "is not a folder" in run.stderr
    run = run_tool("build_lists", tmp_path)
    assert run.returncode != 0 and "0 class folders with videos" in run.stderr
    for name in ("nod", "wave"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clip.mp4").write_bytes(b"video")
    run = run_tool("build_lists", tmp_path)
    assert run.returncode != 0 and "nothing is left to validate on" in run.stderr
    (tmp_path / "nod" / "empty.mp4").touch()
    run = run_tool("build_lists", tmp_path)
    assert run.returncode != 0 and "1 empty video files" in run.stderr
    run = run_tool("build_lists", tmp_path, "--val-ratio", 1)
    assert run.returncode != 0 and "between 0 and 1, got 1.0" in run.stderr
    assert not list(tmp_path.glob("*.txt"))


def test_what_is_left_out_is_said(root):
    (root / "wave" / "notes.txt").write_text("not a video")
    (root / "empty class").mkdir()
    write_video(root / "single" / "only.mp4")
    run = run_tool("build_lists", root)
    assert run.returncode == 0, run.stderr
    assert "Left out 1 files that are no videos" in run.stdout
    assert f"No class made of {root / 'empty class'}" in run.stdout
    assert "single  <- only one clip" in run.stdout


def test_what_systems_leave_in_folders_makes_no_class_and_no_clip(root):
    run_tool("build_lists", root)
    before = [read(root, name) for name in ("label_map", "train_list", "val_list")]
    for folder in (".ipynb_checkpoints", "__MACOSX", "@eaDir", "wave/.trash"):
        write_video(root / folder / "clip 0-checkpoint.mp4")
    (root / "wave" / "._clip 0.mp4").write_bytes(b"resource fork")
    (root / "wave" / "Thumbs.db").write_bytes(b"thumbs")
    run = run_tool("build_lists", root)
    assert run.returncode == 0, run.stderr
    after = [read(root, name) for name in ("label_map", "train_list", "val_list")]
    assert after == before
    for name in (".ipynb_checkpoints", "__MACOSX", "._clip 0.mp4", "Thumbs.db"):
        assert name in run.stdout
    run = run_tool("scan_videos", root, "--decoder", "pyav")
    assert "0 of 15 videos are bad" in run.stdout and "__MACOSX" in run.stdout


def test_names_and_places_that_are_most_likely_wrong(root):
    write_video(root / "stray.mp4")
    (root / "wave" / "phone").write_bytes((root / "stray.mp4").read_bytes())
    os.symlink(root / "nod" / "clip 0.mp4", root / "wave" / "again.mp4")
    run = run_tool("build_lists", root)
    assert run.returncode == 0, run.stderr
    assert "1 videos that lie in no class folder:" in run.stdout
    assert "1 videos by their content, but not by the ending" in run.stdout
    assert "1 that are the same file as another, by a link" in run.stdout
    assert len(read(root, "train_list")) + len(read(root, "val_list")) == 15

    for name, match in (
        ("Wave", "differ by upper and lower case"),
        ("wave ", "has spaces around"),
        ("wa\nve", "rename the file or folder"),
        (b"wa\xffve", "rename the file or folder"),
    ):
        folder = os.path.join(os.fsencode(root), os.fsencode(name))
        os.mkdir(folder)
        with open(os.path.join(folder, b"a.mp4"), "wb") as file:
            file.write((root / "stray.mp4").read_bytes())
        run = run_tool("build_lists", root)
        assert run.returncode != 0 and match in run.stderr, (name, run.stderr)
        os.unlink(os.path.join(folder, b"a.mp4"))
        os.rmdir(folder)


def test_a_data_set_that_is_split_already(tmp_path):
    for name in ("train", "val"):
        write_video(tmp_path / name / "wave" / "a.mp4")
    run = run_tool("build_lists", tmp_path)
    assert run.returncode != 0 and "train, val: parts of a split" in run.stderr


def test_scan_finds_what_each_decoder_cannot_read(root):
    run_tool("build_lists", root)
    data = (root / "nod" / "clip 0.mp4").read_bytes()
    (root / "nod" / "clip 0.mp4").write_bytes(data[: len(data) // 2])
    write_video(root / "wave" / "clip 1.mp4", width=48)  # valid, but not for decord
    write_list = [*read(root, "train_list"), *read(root, "val_list")]
    (root / "all.txt").write_text("\n".join(write_list))
    arguments = (root / "all.txt", "--root", root, "--write-good", root / "good.txt")
    for decoder, bad in (
        ("decord", {"nod/clip 0.mp4 0", "wave/clip 1.mp4 2"}),
        ("pyav", {"nod/clip 0.mp4 0"}),
        ("opencv", {"nod/clip 0.mp4 0"}),
    ):
        run = run_tool("scan_videos", *arguments, "--decoder", decoder)
        assert run.returncode == 1
        assert f"{len(bad)} of 15 videos are bad for {decoder}" in run.stdout
        for line in bad:
            assert f"{root / line[:-2]}: " in run.stdout
        assert set(read(root, "good")) == set(write_list) - bad


def test_scan_survives_a_file_that_crashes_the_decoder(root):
    # decord 0.6.0 dies of a segmentation fault on this one.
    path = root / "wave" / "crash.avi"
    write_video(path, codec="mjpeg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    run = run_tool("scan_videos", root / "wave", "--decoder", "decord")
    assert run.returncode == 1
    assert f"{path}: " in run.stdout
    assert "1 of 6 videos are bad" in run.stdout


def test_scan_of_sound_videos_succeeds(root):
    run = run_tool("scan_videos", root)
    assert run.returncode == 0, run.stdout
    assert "0 of 15 videos are bad" in run.stdout
