"""The evaluation of streams as a user starts it, on random weights."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import NamedTuple

import pytest
from stream_cases import moving_square, write_video

TOOL = Path(__file__).parents[2] / "tools" / "streaming" / "evaluate.py"
# Thresholds of the search, and a background of one's own.
EAGER = """
streaming.update(
    policy='keep',
    smoothing=0.0,
    events=dict(
        on=0.3, off=0.15, min_frames=1, cooldown=0.0, background=['No gesture']
    ),
)
"""


@pytest.fixture
def streams(tmp_path):
    """Two videos of three seconds with a gesture each."""
    folder = tmp_path / "streams"
    for place in ("videos", "timelines"):
        (folder / place).mkdir(parents=True)
    for name, label in (("a", "Left"), ("b", "Right")):
        write_video(folder / "videos" / f"{name}.mp4", moving_square(30))
        gesture = dict(name=label, start_frame=5, end_frame=20, core_end_frame=15)
        timeline = dict(fps=10, num_frames=30, events=[gesture])
        (folder / "timelines" / f"{name}.json").write_text(json.dumps(timeline))
    return folder


class Ended(NamedTuple):
    """How the tool ended: ``error`` is empty if it ended well."""

    error: str
    stdout: str
    stderr: str
    rows: list[dict]


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Run the tool in this process, which saves the imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TOOL.parent)
    figures = tmp_path / "figures.json"

    def run(*arguments: object) -> Ended:
        figures.unlink(missing_ok=True)
        command = [TOOL, *arguments, "--json", figures]
        monkeypatch.setattr("sys.argv", [str(x) for x in command])
        capsys.readouterr()
        error = ""
        try:
            runpy.run_path(str(TOOL), run_name="__main__")
        except SystemExit as end:
            error = str(end.code)
        stdout, stderr = capsys.readouterr()
        rows = json.loads(figures.read_text()) if figures.exists() else []
        return Ended(error, stdout, stderr, rows)

    return run


def test_model_predictions_and_report_agree(
    evaluate, streams, config_file, checkpoint, tmp_path
):
    config_file.write_text(config_file.read_text() + EAGER)
    said, page = tmp_path / "said.json", tmp_path / "report"
    options = ("--streams", streams, "--save-predictions", said, "--report", page)
    done = evaluate(config_file, checkpoint, *options, "--fps", 5)
    (row,) = done.rows
    assert (row["name"], row["fps"], row["gestures"]) == ("keep", 5, 2)
    assert row["options"]["events"]["background"] == ["No gesture"]
    assert f"| keep | 5 | {row['levenshtein_accuracy']:.3f} |" in done.stdout
    assert len(json.loads(said.read_text())["videos"]["a"]["times"]) == 15
    text = (page / "report.md").read_text()
    assert done.stdout[done.stdout.index("| | fps") :].strip() in text
    pictures = [line.split("(")[1][:-1] for line in text.splitlines() if "![" in line]
    assert len(pictures) == 3 and all((page / name).exists() for name in pictures)

    (again,) = evaluate("--predictions", said, "--streams", streams).rows
    for key in ("levenshtein_accuracy", "f1", "per_video", "delay_s"):
        assert again[key] == row[key]
    assert again["frame_map"] == pytest.approx(row["frame_map"], abs=1e-3)


def test_a_share_of_the_frames_is_left_out(
    evaluate, streams, config_file, checkpoint, tmp_path
):
    times = []
    for name, share in (("first", 0.5), ("second", 0.5), ("whole", 0.0)):
        said = tmp_path / f"{name}.json"
        options = ("--streams", streams, "--drop", share, "--save-predictions", said)
        evaluate(config_file, checkpoint, *options)
        videos = json.loads(said.read_text())["videos"]
        times.append([video["times"] for video in videos.values()])
    first, second, whole = times
    assert first == second
    for some, every in zip(first, whole, strict=True):
        assert set(some) < set(every) and some[0] == every[0]
        assert len(every) / 4 < len(some) < len(every) * 3 / 4


def test_policies_are_compared_and_tuned_on_the_same_videos(
    evaluate, streams, config_file, checkpoint
):
    config_file.write_text(config_file.read_text() + EAGER)
    command = (config_file, checkpoint, "--streams", streams)
    command += ("--policies", "keep", "decay")
    rows = evaluate(*command).rows
    assert [row["name"] for row in rows] == ["keep", "decay"]
    tuned = evaluate(*command, "--tune").rows
    assert all(new["f1"] >= row["f1"] for new, row in zip(tuned, rows, strict=True))
    events = tuned[0]["options"]["events"]
    assert events["off"] == events["on"] / 2
    assert events["background"] == ["No gesture"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policies", "forget"], "'forget' is unknown"),
        (["--fps", "0"], "0 is not a number above 0"),
        (["--drop", "1"], "--drop must be in [0, 1)"),
        (["--tolerance", "-1"], "--tolerance must be 0 or more"),
        (["--report", "streams/videos/a.mp4"], "cannot be made a folder"),
        (["--save-predictions", "none/x.json"], "no folder none"),
        (["--policies", "keep", "decay", "--save-predictions", "x"], "not several"),
        (["--predictions", "streams/timelines/a.json"], "leave out config"),
        (["--label-file", "other.txt"], "names none of the gestures"),
        (["--streams", "empty"], "render_stream.py --out empty"),
    ],
)
def test_what_does_not_fit_is_said_before_a_video_is_read(
    evaluate, streams, config_file, checkpoint, tmp_path, options, message
):
    (tmp_path / "other.txt").write_text("a\nb\nc\nd\n")
    defaults = () if "--streams" in options else ("--streams", streams)
    done = evaluate(config_file, checkpoint, *defaults, *options)
    assert done.error and message in done.error + done.stderr
    assert "a.mp4\n" not in done.stderr
    assert not done.rows
