"""Layout, seeding, resumption and readability of rendered data sets."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from renderer.classes import CLASSES
from renderer.dataset import RenderSettings, render_dataset
from renderer.tasks import STEPS, OrderedTask

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = RenderSettings(seed=3, mean_frames=10.0)


def digest(root: Path) -> dict[str, str]:
    """Hash of every file under a folder."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def frames_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("frames") / "jester"
    assert render_dataset(root, (54, 27), SETTINGS, workers=1) == 81
    return root


@pytest.fixture(scope="module")
def videos_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos") / "jester"
    settings = RenderSettings(seed=3, mean_frames=10, format="videos")
    render_dataset(root, (6, 3), settings, workers=2)
    return root


def test_workers_change_nothing(frames_root: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path / "two", (54, 27), SETTINGS, workers=2)
    assert digest(tmp_path / "two") == digest(frames_root)


def test_sizes_change_no_clip(frames_root: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path, (3, 2), SETTINGS)
    clips = digest(tmp_path / "20bn-jester-v1")
    assert clips.items() <= digest(frames_root / "20bn-jester-v1").items()
    assert render_dataset(tmp_path, (5, 2), SETTINGS) == 2


def test_the_seed_changes_the_clips(frames_root: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path, (1, 1), RenderSettings(seed=4, mean_frames=10))
    name = "20bn-jester-v1/1/00005.jpg"
    assert (tmp_path / name).read_bytes() != (frames_root / name).read_bytes()


def test_layout_is_that_of_jester(frames_root: Path) -> None:
    labels = (frames_root / "jester-v1-labels.csv").read_text().splitlines()
    assert labels == list(CLASSES)
    assert "SYNTHETIC" in (frames_root / "README").read_text()
    for split, short, size in (("train", "train", 54), ("validation", "val", 27)):
        table = (frames_root / f"jester-v1-{split}.csv").read_text().splitlines()
        lines = (frames_root / f"jester_{short}_list_rawframes.txt").read_text()
        assert len(table) == len(lines.splitlines()) == size
        assert set(Counter(row.split(";")[1] for row in table).values()) == {size // 27}
        for row, line in zip(table, lines.splitlines(), strict=True):
            number, name = row.split(";")
            folder, frames, label = line.split()
            assert folder == f"20bn-jester-v1/{number}"
            assert CLASSES[int(label)] == name
            files = sorted(p.name for p in (frames_root / folder).iterdir())
            assert files == [f"{n + 1:05d}.jpg" for n in range(int(frames))]


def test_people_of_the_splits_are_disjoint(frames_root: Path) -> None:
    rows = (frames_root / "synthetic-clips.csv").read_text().splitlines()[1:]
    people: dict[str, set[str]] = {"train": set(), "validation": set()}
    for row in rows:
        _, split, person, _ = row.split(";")
        people[split].add(person)
    assert len(people["train"]) > 20
    assert not people["train"] & people["validation"]


def test_frames_have_jesters_size(frames_root: Path) -> None:
    widths = set()
    for folder in (frames_root / "20bn-jester-v1").iterdir():
        shapes = {cv2.imread(str(path)).shape for path in folder.iterdir()}
        assert len(shapes) == 1
        height, width, _ = shapes.pop()
        assert height == 100
        assert width % 2 == 0 and 130 <= width <= 176
        widths.add(width)
    assert len(widths) > 3


def test_videos_decode(videos_root: Path) -> None:
    decord = pytest.importorskip("decord")
    lines = (videos_root / "jester_train_list_videos.txt").read_text().splitlines()
    assert len(lines) == 6
    for number, line in enumerate(lines):
        name, label = line.split()
        assert int(label) == number
        reader = decord.VideoReader(str(videos_root / name))
        decoded = [reader[n].asnumpy() for n in range(len(reader))]
        assert 8 <= len(decoded) <= 13
        assert reader.get_avg_fps() == pytest.approx(12)
        capture = cv2.VideoCapture(str(videos_root / name))
        assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == len(decoded)
        ok, first = capture.read()
        assert ok and first.shape == decoded[0].shape
        assert first.std() > 5


def test_videos_show_what_the_frames_show(frames_root: Path, videos_root: Path) -> None:
    capture = cv2.VideoCapture(str(videos_root / "videos/1.mp4"))
    _, video = capture.read()
    frame = cv2.imread(str(frames_root / "20bn-jester-v1/1/00001.jpg"))
    assert np.abs(video.astype(int) - frame).mean() < 8


def test_missing_clips_are_rendered_again(frames_root: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path, (4, 2), SETTINGS)
    before = digest(tmp_path)
    clips = tmp_path / "20bn-jester-v1"
    # What a killed worker leaves: a clip that is missing and one half written.
    (clips / "2").rename(clips / ".part-123-2")
    (clips / ".part-123-2" / "00001.jpg").unlink()
    assert render_dataset(tmp_path, (4, 2), SETTINGS) == 1
    assert digest(tmp_path) == before


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    script = ROOT / "tools/data/synthetic/render_jester.py"
    command = [sys.executable, str(script), "--out", str(tmp_path / "killed")]
    command += ["--train", "600", "--val", "3", "--mean-frames", "10"]
    command += ["--seed", "3", "--workers", "1"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    clips = tmp_path / "killed" / "20bn-jester-v1"
    deadline = time.monotonic() + 120
    while not list(clips.glob("[0-9]*")) and time.monotonic() < deadline:
        assert run.poll() is None, "the renderer ended before it wrote a clip"
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (tmp_path / "killed/jester-v1-train.csv").exists()
    rendered = render_dataset(tmp_path / "killed", (9, 3), SETTINGS)
    render_dataset(tmp_path / "fresh", (9, 3), SETTINGS)
    assert rendered < 12
    found = digest(tmp_path / "killed")
    assert digest(tmp_path / "fresh").items() <= found.items()


def test_ordered_clips_hold_every_step_once(tmp_path: Path) -> None:
    task = OrderedTask(steps=3, gap=4)
    assert len(task.classes) == 6
    assert {frozenset(order) for order in task.orders} == {frozenset(STEPS[:3])}
    render_dataset(tmp_path, (6, 6), SETTINGS, task=task)
    lines = (tmp_path / "ordered_train_list_rawframes.txt").read_text().splitlines()
    assert [int(line.split()[-1]) for line in lines] == list(range(6))
    for line in lines:
        folder, frames, _ = line.split()
        assert len(list((tmp_path / folder).iterdir())) == int(frames)
        assert int(frames) >= 3 * 7 + 4 * 2


@pytest.mark.parametrize(
    ("sizes", "settings", "workers", "message"),
    [
        ((0, 5), {}, 1, "0 train clips"),
        ((5, -1), {}, 1, "-1 validation clips"),
        ((5, 10**6), {}, 1, "1000000 validation clips"),
        ((1, 1), {}, 0, "workers = 0"),
        ((1, 1), {"seed": -1}, 1, "seed = -1"),
        ((1, 1), {"mean_frames": 2}, 1, "mean_frames = 2"),
        ((1, 1), {"format": "gif"}, 1, "format = 'gif'"),
    ],
)
def test_bad_settings_are_refused(
    sizes: tuple[int, int], settings: dict, workers: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        render_dataset(tmp_path, sizes, RenderSettings(**settings), workers)


def test_data_sets_do_not_mix(frames_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other settings"):
        render_dataset(frames_root, (1, 1), RenderSettings(seed=9, mean_frames=10))
    (tmp_path / "mine.txt").write_text("not a data set")
    with pytest.raises(ValueError, match="not empty"):
        render_dataset(tmp_path, (1, 1), SETTINGS)
    with pytest.raises(NotADirectoryError, match="is a file"):
        render_dataset(tmp_path / "mine.txt", (1, 1), SETTINGS)


@pytest.mark.parametrize("steps", [1, 5])
def test_ordered_task_needs_two_to_four_steps(steps: int) -> None:
    with pytest.raises(ValueError, match=f"steps = {steps}"):
        OrderedTask(steps=steps)
