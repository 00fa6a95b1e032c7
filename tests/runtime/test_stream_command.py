"""``lcr stream`` as a user starts it, headless."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from stream_cases import moving_square, write_video

from lcr_mmaction.deployment import shipped_model
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_runtime.commands.main import main
from lcr_runtime.overlay import Overlay

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "lcr_runtime", "stream"]


def environment() -> dict:
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    env.pop("DISPLAY", None)
    env.pop("WAYLAND_DISPLAY", None)
    return env


def run_stream(config, checkpoint, source, *options):
    model = ["--model", config, "--checkpoint", checkpoint]
    command = [*COMMAND, *map(str, [source, *model, *options])]
    return subprocess.run(command, env=environment(), capture_output=True, text=True)


@pytest.fixture
def eager_config(config_file):
    """Thresholds that random weights reach."""
    text = config_file.read_text()
    text += "streaming.update(events=dict(on=0.1, off=0.05, background=[]))\n"
    config_file.write_text(text)
    return config_file


def test_it_writes_video_and_events(eager_config, checkpoint, tmp_path):
    video = write_video(tmp_path / "in.mp4", moving_square(24), fps=20)
    out = tmp_path / "out.mp4"
    done = run_stream(eager_config, checkpoint, video, "--out", out, "--events", "-")
    assert done.returncode == 0, done.stderr
    assert "12 frames, 0 dropped" in done.stderr  # 20 a second thinned to 10
    capture = cv2.VideoCapture(str(out))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 12
    assert capture.read()[0]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["phase"] for line in lines} == {"start", "end"}
    assert {"label", "start", "peak", "end", "confidence"} <= set(lines[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none.mp4"], "no video file at none.mp4"),
        (["0", "--show"], "--show needs a display"),
        (["0", "--out", "none/out.mp4"], "no folder none"),
        (["0", "--out", "out.avi"], "must end in .mp4"),
        (["0", "--events", "none/x.jsonl"], "no folder none"),
        (["0", "--fps", "0"], "0 is not a number above 0"),
        (["0", "--label-file", "none.txt"], "none.txt is not there"),
    ],
)
def test_what_does_not_fit_is_said_before_the_model_is_loaded(
    monkeypatch, capsys, tmp_path, options, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main(["stream", *options])
    said = capsys.readouterr().err
    assert message in said + str(stopped.value)


def test_it_stopped_in_the_middle_leaves_a_whole_video(
    config_file, checkpoint, tmp_path
):
    video = write_video(tmp_path / "in.mp4", moving_square(3000))
    out = tmp_path / "out.mp4"
    model = ["--model", str(config_file), "--checkpoint", str(checkpoint)]
    demo = subprocess.Popen(
        [*COMMAND, video, *model, "--out", str(out)],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (out.exists() and out.stat().st_size > 1000):
        assert demo.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    demo.send_signal(signal.SIGTERM)
    _, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, errors
    assert "latency p50" in errors
    capture = cv2.VideoCapture(str(out))
    assert 0 < capture.get(cv2.CAP_PROP_FRAME_COUNT) < 3000
    assert capture.read()[0]


def test_it_ends_quietly_with_the_reader_of_its_events(
    eager_config, checkpoint, tmp_path
):
    video = write_video(tmp_path / "in.mp4", moving_square(24), fps=20)
    out = tmp_path / "out.mp4"
    model = ["--model", eager_config, "--checkpoint", checkpoint]
    command = [*COMMAND, video, *model, "--out", out, "--events", "-"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            list(map(str, command)),
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert "Broken pipe" not in done.stderr and "Traceback" not in done.stderr
    assert cv2.VideoCapture(str(out)).read()[0], "the video so far is whole"


@pytest.mark.parametrize("edges", ["given", "in the graph"])
def test_overlay_shows_frame_edges_and_scores(config_file, checkpoint, edges):
    if edges == "given":
        recognizer = StreamingRecognizer(config_file, checkpoint)
    else:
        recognizer = StreamingRecognizer(*shipped_model())
    overlay = Overlay(recognizer.labels, width=320)
    drawings = [overlay.draw(r) for r in recognizer.run(moving_square(5))]
    assert len({drawing.shape for drawing in drawings}) == 1
    height, width = drawings[0].shape[:2]
    assert width == 320 and height % 2 == 0
    view = drawings[4][52:-120]
    assert np.abs(view[-5, 5].astype(int) - (150, 90, 30)).max() < 3
    red = Overlay(recognizer.labels, channel_order="rgb", width=320)
    recognizer.reset()
    turned = red.draw(recognizer.update(moving_square(1)[0]))[52:-120]
    assert np.abs(turned[-5, 5].astype(int) - (30, 90, 150)).max() < 3
    inset = view[: view.shape[0] // 4, -view.shape[0] // 4 :]
    assert inset.max() > 100 and (inset == inset[..., :1]).all()
    assert drawings[4][-120:].any()
