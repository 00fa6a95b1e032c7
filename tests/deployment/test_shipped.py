"""The model that comes with the package, as a user finds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import MMAction2Inferencer, init_recognizer
from mmengine.runner import CheckpointLoader
from renderer.dataset import RenderSettings, render_dataset
from renderer.timeline import StreamSettings, render_streams
from stream_cases import moving_square

from lcr_mmaction.deployment import shipped_model
from lcr_mmaction.loading import EDGES, IN_GRAPH
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_runtime import load_recognizer
from lcr_runtime.shipped import shipped_file
from lcr_runtime.sources import VideoSource

ROOT = Path(__file__).parents[2]


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_the_files_are_small_and_hold_weights_alone():
    config, path = shipped_model()
    assert Path(path).stat().st_size <= 3 * 1024 * 1024
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    assert set(checkpoint) == {"state_dict", "meta"}
    assert all(torch.isfinite(x).all() for x in checkpoint["state_dict"].values())
    model = init_recognizer(str(config), None, device="cpu")
    model.load_state_dict(checkpoint["state_dict"], strict=True)


def test_mmactions_own_functions_take_the_files(capsys):
    init_recognizer(*shipped_model(), device="cpu")
    MMAction2Inferencer(*shipped_model(), device="cpu")


@pytest.fixture(scope="module")
def streams(tmp_path_factory) -> Path:
    """Folder of the evaluation's videos, by people no training video shows."""
    return tmp_path_factory.mktemp("streams")


def test_the_evaluation_finds_most_gestures(streams):
    figures, folder = streams / "figures.json", streams / "validation"
    render_streams(folder, 2, StreamSettings(seed=5, gestures=4))
    options = ("--streams", folder, "--json", figures)
    script = ROOT / "tools/streaming/evaluate.py"
    run(script, "shipped", "shipped", *options, cwd=streams)
    (row,) = json.loads(figures.read_text())
    assert row["f1"] > 0.6 and row["levenshtein_accuracy"] > 0.5


def test_single_clips_are_told_best_at_the_rate_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "clips"
    render_dataset(root, (1, 20), RenderSettings(mean_frames=24, format="frames"))
    monkeypatch.setenv("JESTER_ROOT", str(root))
    script = ROOT / "tools/streaming/clip_rates.py"
    done = run(script, "shipped", "shipped", "--fps", 4, 0.5, cwd=tmp_path)
    lines = [x for x in done.stdout.splitlines() if "frames a second" in x]
    fitting, slow = (float(line.split()[-2]) for line in lines)
    assert fitting > 80 and slow < fitting - 30


def test_the_exported_file_tells_the_gestures(streams):
    settings = StreamSettings(seed=5, gestures=3, mean_gap=12)
    ((video, timeline),) = render_streams(streams / "demo", 1, settings)
    lines = run("-m", "lcr_runtime", "stream", video, "--events", "-", cwd=streams)
    seen = [json.loads(line)["label"] for line in lines.stdout.splitlines()]
    shown = [event["name"] for event in json.loads(timeline.read_text())["events"]]
    assert set(seen) & set(shown)


def test_the_exported_file_is_of_the_checkpoint(tmp_path):
    settings = StreamSettings(seed=6, gestures=12, mean_gap=12)
    ((video, _),) = render_streams(tmp_path, 1, settings)
    frames = [frame.image for frame in VideoSource(video)][::3]
    assert len(frames) >= 100
    exported = load_recognizer(shipped_file(), "onnxruntime")
    events = []
    expected = StreamingRecognizer(*shipped_model()).run(frames)
    for left, right in zip(expected, exported.run(frames), strict=True):
        np.testing.assert_allclose(left.scores, right.scores, atol=1e-4)
        events += left.events
        for mine, theirs in zip(left.events, right.events, strict=True):
            assert mine.as_dict() == pytest.approx(theirs.as_dict(), abs=1e-4)
    assert len(events) > 6
    assert shipped_file().stat().st_size <= 3 * 1024 * 1024


def test_edges_that_are_shown_are_those_of_the_graph():
    recognizer = StreamingRecognizer(*shipped_model())
    found = []
    hook = recognizer.engine.model.backbone.graph_edges.register_forward_hook(
        lambda module, inputs, output: found.append(output[0, 0, 0].numpy())
    )
    noise = np.random.default_rng(0).integers(0, 256, (6, 12, 16, 3), np.uint8)
    size = dict(dsize=(120, 90), interpolation=cv2.INTER_CUBIC)
    frames = [*moving_square(4), *(cv2.resize(x, **size) for x in noise)]
    for result in map(recognizer.update, frames):
        np.testing.assert_allclose(result.edges / 255, found[-1], atol=0.01)
    assert max(x.max() for x in found) == 1
    blank = recognizer.update(np.full((90, 120, 3), 7, np.uint8))
    hook.remove()
    assert not blank.edges.any() and found[-1].max() < 0.05


def test_edges_are_in_the_graph():
    recognizer = load_recognizer(shipped_file(), "onnxruntime")
    (result,) = recognizer.run(moving_square(1))
    assert result.picture.shape[-1] == 3
    checkpoint = CheckpointLoader.load_checkpoint(str(shipped_model()[1]))
    assert checkpoint["meta"][EDGES] == IN_GRAPH
