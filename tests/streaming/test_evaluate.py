"""The evaluation of streams as a user starts it, on random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIZE = ("--videos", "1", "--gestures", "3", "--mean-frames", "12", "--seed", "4")
# Gestures of the renderer, so that hits are possible, at thresholds of the search.
EAGER = """
streaming.update(
    labels=['Swiping Left', 'Swiping Right', 'Thumb Up', 'Stop Sign'],
    policy='keep',
    smoothing=0.0,
    events=dict(on=0.3, off=0.15, min_frames=1, cooldown=0.0),
)
"""


@pytest.fixture
def evaluate(config_file, checkpoint, tmp_path):
    """Run the tool; return its rows and what it printed."""
    config_file.write_text(config_file.read_text() + EAGER)

    def run(*options: str) -> tuple[list[dict], str]:
        figures = tmp_path / "figures.json"
        command = [sys.executable, ROOT / "tools/streaming/evaluate.py"]
        command += [config_file, checkpoint, *SIZE, "--json", figures, *options]
        env = dict(os.environ)
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(figures.read_text()), done.stdout

    return run


def test_policies_are_compared_and_tuned_on_the_same_videos(evaluate, tmp_path):
    policies = ("--policies", "keep", "decay")
    rows, printed = evaluate(*policies)
    assert [row["policy"] for row in rows] == ["keep", "decay"]
    (video,) = (tmp_path / "data" / "synthetic-streams").rglob("*.mp4")
    rendered = video.stat().st_mtime_ns
    for row in rows:
        assert row["options"]["on"] == 0.3
        assert row["false_events_per_minute"] > 0
        total = row["precision"] + row["recall"]
        mean = 2 * row["precision"] * row["recall"] / total if total else 0
        assert row["f1"] == pytest.approx(mean)
        assert f"| {row['policy']} | {row['f1']:.3f} |" in printed
    tuned, _ = evaluate(*policies, "--tune")
    assert video.stat().st_mtime_ns == rendered
    assert all(new["f1"] >= row["f1"] for new, row in zip(tuned, rows, strict=True))


def test_the_configs_policy_is_the_default(evaluate):
    (row,), _ = evaluate()
    assert row["policy"] == "keep"
