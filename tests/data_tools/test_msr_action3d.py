"""tools/data/msr_action3d/convert.py on depth files that the test makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from scipy.io import savemat

from lcr_mmaction.streaming.timeline import (
    find_timelines,
    find_video,
    read_timeline,
)
from lcr_runtime.video import open_video

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tools" / "data" / "msr_action3d"


def run_tool(*args: object, tool: str = "convert.py") -> subprocess.CompletedProcess:
    command = [sys.executable, FOLDER / tool, *args]
    return subprocess.run(
        [str(argument) for argument in command],
        capture_output=True,
        text=True,
        timeout=120,
    )


def draw_clip(hand: int, frames: int = 6) -> np.ndarray:
    """A person 160 pixels tall whose hand, nearer to the camera, moves to the right."""
    depth = np.zeros((240, 320, frames), np.uint16)
    depth[60:220, 130:180] = 500
    for t in range(frames):
        depth[hand : hand + 12, 185 + 6 * t : 197 + 6 * t, t] = 400
    return depth


def write_clips(folder: Path, people: tuple[int, ...] = (1, 2, 3)) -> Path:
    """Two actions of some people, in two folders as archives have them."""
    for action in (1, 20):
        for person in people:
            name = f"a{action:02}_s{person:02}_e01_sdepth.mat"
            path = folder / f"part{action}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            savemat(path, {"depth": draw_clip(hand=60 + 40 * (action > 1))})
    return folder


def read_frame(out: Path, clip: str, number: int) -> np.ndarray:
    return cv2.imread(str(out / clip / f"{number:05}.png"))[..., ::-1].astype(int)


@pytest.fixture
def coding(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import depth_coding

    return depth_coding


@pytest.fixture
def protocols(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import protocols

    return protocols


def test_lists_and_frames_are_what_the_dataset_reads(tmp_path):
    out = tmp_path / "out"
    run = run_tool(write_clips(tmp_path / "in"), "--out", out, "--size", 48)
    assert run.returncode == 0, run.stderr
    assert "6 clips, 36 frames" in run.stdout
    assert "Protocol A: 4 clips to train, 2 to test" in run.stdout
    assert "a01_s04_e01" in run.stdout and "a01_s01_e01" not in run.stdout
    assert (out / "a_test.txt").read_text() == "a01_s02_e01 6 0\na20_s02_e01 6 19\n"
    assert (out / "label_map.txt").read_text().splitlines()[18] == "golf swing"
    assert (out / "a_fold1_train.txt").read_text().count("_s03_") == 2
    assert not (out / "b_test.txt").exists()  # nobody of persons 6 to 10
    init_default_scope("mmaction")
    dataset = DATASETS.build(
        dict(
            type="CheckedRawframeDataset",
            ann_file=str(out / "a_train.txt"),
            data_prefix=dict(img=str(out)),
            filename_tmpl="{:05}.png",
            pipeline=[
                dict(type="UniformSample", clip_len=4, test_mode=True),
                dict(type="RawFrameDecode"),
            ],
        )
    )
    assert len(dataset) == 4
    assert dataset[0]["imgs"][0].shape == (48, 48, 3)


def test_motion_coding_shows_where_the_hand_is_and_was(tmp_path):
    out = tmp_path / "out"
    options = ("--size", 104, "--coding", "motion", "--crop", "first")
    run_tool(write_clips(tmp_path / "in"), "--out", out, *options)
    first, last = (read_frame(out, "a01_s01_e01", n) for n in (1, 6))
    depth, change, history = np.moveaxis(last, -1, 0)
    # Half a pixel a pixel: the square is 208 wide, about the middle of the body.
    row = (66 - (228 - 208)) // 2
    assert depth[row].argmax() > 70 and depth[row].max() == 210  # 150 + 0.6 * 100
    assert depth[80, 52] == 150 and depth[2, 2] == 0
    assert change[row].max() > 200 and change[row].min() < 60 and change[80, 52] == 128
    trace = history[row, 68:84]
    assert trace.min() > 60  # the whole path is there
    assert (first[..., 1] == 128).all() and (first[..., 2] == 0).all()


@pytest.mark.parametrize("name", ["grey", "normals", "motion"])
def test_codings_are_causal(coding, name):
    depth = np.moveaxis(draw_clip(hand=60), 2, 0)
    whole = coding.code_clip(depth, name, 64, "first")
    assert whole.dtype == np.uint8 and whole.shape == (6, 64, 64, 3)
    assert np.array_equal(whole[:3], coding.code_clip(depth[:3], name, 64, "first"))


def test_the_crop_of_a_whole_clip_is_filled_by_all_that_it_shows(coding):
    """From the left side of the body to where the hand will be, not a pixel more."""
    depth = np.moveaxis(draw_clip(hand=60), 2, 0)
    view = coding.view_of_clip(depth)
    assert (view.left, view.top, view.side) == (98, 60, 160)
    grey = coding.grey_frames(depth, 160, "clip")
    assert grey.max() == pytest.approx(255, abs=1) and grey.min() == 0
    body = grey[0, 80, 50]  # the farthest there is
    assert body == pytest.approx(coding.DARKEST_BODY, abs=1)


def test_a_person_farther_away_looks_the_same(coding):
    """Scale and zero of depth are the person's, not the room's."""
    near = np.moveaxis(draw_clip(hand=60), 2, 0)
    far = np.where(near > 0, near + 60, 0)[:, ::2, ::2]
    difference = np.abs(
        coding.grey_frames(near, 52, "first") - coding.grey_frames(far, 52, "first")
    )
    assert np.mean(difference > 8) < 0.05


def test_no_split_tests_people_it_trains_on(protocols):
    splits = protocols.splits()
    for train, test in splits.values():
        assert not set(train) & set(test)
    assert splits["a"] == ((1, 3, 5, 7, 9), (2, 4, 6, 8, 10))
    assert splits["b"] == ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10))
    folds = [halves for name, halves in splits.items() if name.startswith("a_fold")]
    assert len(folds) == 5
    # Choices are made on these: none of them may know a test person.
    folds.append(splits["a_choose"])
    assert all(set(train + test) == {1, 3, 5, 7, 9} for train, test in folds)
    assert sum(name.startswith("without") for name in splits) == 10


def test_the_config_names_the_actions_of_the_converter(protocols):
    config = Config.fromfile(ROOT / "configs" / "lcr_msr.py")
    for loader in (config.train_dataloader, config.test_dataloader):
        assert loader.dataset.metainfo.classes == protocols.ACTIONS
    assert config.model.cls_head.num_classes == len(protocols.ACTIONS)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def other_variable(path: Path) -> None:
    savemat(path, {"skeleton": np.zeros((3, 3))})


def nobody(path: Path) -> None:
    savemat(path, {"depth": np.zeros((240, 320, 5), np.uint16)})


def one_picture(path: Path) -> None:
    savemat(path, {"depth": np.ones((240, 320), np.uint16)})


@pytest.mark.parametrize("spoil", [truncated, other_variable, nobody, one_picture])
def test_damaged_files_are_named_and_no_lists_written(tmp_path, spoil):
    source = write_clips(tmp_path / "in")
    spoil(source / "part20" / "a20_s02_e01_sdepth.mat")
    out = tmp_path / "out"
    run = run_tool(source, "--out", out, "--size", 32)
    assert run.returncode != 0
    assert "a20_s02_e01_sdepth.mat: " in run.stderr and "Traceback" not in run.stderr
    assert not list(out.glob("*.txt"))
    run = run_tool(source, "--out", out, "--size", 32, "--skip-damaged")
    assert run.returncode == 0, run.stderr
    assert (out / "a_test.txt").read_text() == "a01_s02_e01 6 0\n"


def test_names_that_are_no_clips_are_refused(tmp_path):
    source = write_clips(tmp_path / "in")
    savemat(source / "a21_s01_e01_sdepth.mat", {"depth": draw_clip(60)})
    run = run_tool(source, "--out", tmp_path / "out")
    assert run.returncode != 0 and "a21_s01_e01_sdepth.mat" in run.stderr
    run = run_tool(tmp_path / "nowhere", "--out", tmp_path / "out")
    assert run.returncode != 0 and "is not a folder" in run.stderr


def test_clips_are_joined_into_a_video_a_person_with_their_times(tmp_path):
    root, out = tmp_path / "msr", tmp_path / "streams"
    run_tool(write_clips(tmp_path / "in"), "--out", root, "--size", 32)
    run = run_tool(root, "a_train", "--out", out, tool="join_streams.py")
    assert run.returncode == 0, run.stderr
    paths = find_timelines(out)
    assert [path.stem for path in paths] == ["person01", "person03"]
    for path in paths:
        timeline = read_timeline(path)
        first, second = timeline.gestures
        assert {first.label, second.label} == {"high arm wave", "pickup and throw"}
        assert (first.start, first.end) == (0, 6 / 15)
        assert (second.start, second.end) == (6 / 15, timeline.seconds)
        with open_video(find_video(path)) as video:
            pictures = video.read(range(12))
        assert len(video) == 12
        begin = {"high arm wave": "a01", "pickup and throw": "a20"}[second.label]
        frame = read_frame(root, f"{begin}_s{path.stem[-2:]}_e01", 1)
        assert np.abs(pictures[6].astype(int) - frame).mean() < 4  # H.264's losses


def test_joining_names_the_list_that_is_missing(tmp_path):
    run = run_tool(tmp_path, "a_test", "--out", tmp_path, tool="join_streams.py")
    assert run.returncode == 1
    assert "a_test.txt" in run.stderr and "convert.py" in run.stderr
