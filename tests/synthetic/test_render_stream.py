"""Continuous videos and their timelines; the contact sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from renderer.cases import CASES
from renderer.classes import CLASSES, NO_GESTURE
from renderer.contact_sheet import contact_sheet
from renderer.timeline import (
    StreamSettings,
    draw_stream,
    render_streams,
)

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = StreamSettings(seed=2, gestures=5, mean_frames=14, mean_gap=8)


def test_timelines_cover_the_video_without_overlap() -> None:
    for index in range(6):
        stream = draw_stream(SETTINGS, index)
        assert len(stream.events) == 5
        now = 0
        for event in stream.events:
            assert now + 2 <= event.start_frame <= event.core_start_frame
            assert event.core_start_frame < event.core_end_frame <= event.end_frame
            assert event.label != NO_GESTURE
            now = event.end_frame
        assert now < len(stream.motion)


def test_long_streams_show_every_gesture() -> None:
    stream = draw_stream(StreamSettings(gestures=26), 0)
    labels = [event.label for event in stream.events]
    assert sorted(labels) == [n for n in range(len(CLASSES)) if n != NO_GESTURE]


def test_gestures_are_joined_without_jumps() -> None:
    for index in range(6):
        stream = draw_stream(SETTINGS, index)
        motion = stream.motion
        seen = motion.wrist[:, 1] < 0.8
        # The hand may change sides only where it cannot be seen.
        changes = np.flatnonzero(np.diff(motion.mirror))
        assert not seen[changes].any() and not seen[changes + 1].any()
        step = np.linalg.norm(np.diff(motion.wrist, axis=0), axis=1)
        turn = np.abs(np.diff(motion.angles, axis=0)).max(1)
        for event in stream.events:
            for joint in (event.start_frame - 1, event.end_frame - 1):
                assert step[joint] < 0.25
                assert turn[joint] < 60


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_a_whole_stream(case: str) -> None:
    stream = draw_stream(StreamSettings(gestures=6, case=case), 0)
    now = 0
    for event in stream.events:
        assert now + 2 <= event.start_frame <= event.core_start_frame
        assert event.core_start_frame < event.core_end_frame <= event.end_frame
        now = event.end_frame
    assert now < len(stream.motion)
    # Hands change sides out of sight only.
    step = np.linalg.norm(np.diff(stream.motion.wrist, axis=0), axis=1)
    seen = stream.motion.wrist[:, 1] < 0.8
    assert step[seen[1:] & seen[:-1]].max() < 0.7


def test_cases_are_what_they_say() -> None:
    def events(case: str, **options) -> list:
        return draw_stream(StreamSettings(case=case, **options), 0).events

    def lengths(case: str) -> np.ndarray:
        return np.array([x.end_frame - x.start_frame for x in events(case)])

    pairs = events("repeated")
    assert all(a.label == b.label for a, b in zip(pairs[::2], pairs[1::2], strict=True))
    gaps = [b.start_frame - a.end_frame for a, b in zip(pairs, pairs[1:], strict=False)]
    assert max(gaps[::2]) <= 12 and min(gaps[::2]) >= 4
    joined = events("without_pause")
    assert len({event.label for event in joined}) == 10
    assert all(
        b.start_frame - a.end_frame <= 3
        for a, b in zip(joined[::2], joined[1::2], strict=True)
    )
    ordinary = lengths("ordinary")
    assert (lengths("broken_off") < ordinary).all()
    assert (lengths("held") >= ordinary + 12).all()
    assert lengths("slow").mean() > 1.8 * ordinary.mean()
    assert lengths("fast").mean() < 0.6 * ordinary.mean()
    assert {CLASSES[x.label] for x in events("background")} == {"Doing other things"}


def test_folders_of_ordinary_streams_are_known_as_before() -> None:
    assert "case" not in StreamSettings().as_dict()
    assert StreamSettings(case="held").as_dict()["case"] == "held"


def test_streams_are_videos_with_json(tmp_path: Path) -> None:
    paths = render_streams(tmp_path, 2, SETTINGS, workers=2)
    for index, (video, timeline) in enumerate(paths):
        content = json.loads(timeline.read_text())
        assert content["synthetic"] is True
        assert content == draw_stream(SETTINGS, index).timeline()
        capture = cv2.VideoCapture(str(video))
        frames = 0
        while capture.read()[0]:
            frames += 1
        assert frames == content["num_frames"]
        assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(content["fps"])
        for event in content["events"]:
            assert event["name"] == CLASSES[event["label"]]
    first = paths[0][0].read_bytes()
    paths[1][0].unlink()
    assert render_streams(tmp_path, 2, SETTINGS) == paths
    assert paths[0][0].read_bytes() == first
    assert paths[1][0].exists()


def test_bad_streams_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 videos"):
        render_streams(tmp_path, 0, SETTINGS)
    with pytest.raises(ValueError, match="split = 'test'"):
        StreamSettings(split="test")
    with pytest.raises(ValueError, match="gestures = 0"):
        StreamSettings(gestures=0)
    with pytest.raises(ValueError, match="mean_gap = 1"):
        StreamSettings(mean_gap=1)
    with pytest.raises(ValueError, match="case = 'odd'"):
        StreamSettings(case="odd")


def test_contact_sheet_has_a_row_per_class() -> None:
    sheet = contact_sheet([0, 20], columns=3, mean_frames=10)
    assert sheet.shape == (2 * 102, 190 + 3 * 178, 3)
    assert sheet[:102].std() > 5 and sheet[102:].std() > 5
    with pytest.raises(ValueError, match="columns = 0"):
        contact_sheet([0], columns=0)


def test_command_line_writes_and_explains(tmp_path: Path) -> None:
    tools = ROOT / "tools/data/synthetic"
    sheet = tmp_path / "new" / "sheet.png"
    command = f"contact_sheet.py --classes 4 --columns 2 --out {sheet}".split()
    subprocess.run(
        [sys.executable, str(tools / command[0]), *command[1:]], check=True, cwd=ROOT
    )
    assert cv2.imread(str(sheet)) is not None
    bad = [sys.executable, str(tools / "render_ordered.py"), "--steps", "9"]
    run = subprocess.run(
        [*bad, "--out", str(tmp_path / "o")], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 1
    assert run.stderr.strip().endswith("error: steps = 9: expected 2 to 4")
