"""tools/visualizations/draw_scores.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from mmengine import load
from mmengine.config import Config
from tool_runs import Trained

TOOL = "visualizations/draw_scores.py"


def test_clips_are_drawn_with_the_scores_of_every_beginning(
    trained: Trained, in_process, tmp_path: Path
) -> None:
    out = tmp_path / "scores.png"
    tool = in_process(
        TOOL, trained.config, trained.checkpoint, out, "--clips", 1, 0, "--frames", 2
    )
    assert cv2.imread(str(out)).std() > 10
    config = Config.fromfile(trained.config)
    model = init_recognizer(config, str(trained.checkpoint), device="cpu")
    clip = DATASETS.build(config.test_dataloader.dataset)[1]
    scores = tool.scores_over_time(model, clip)
    assert len(scores) == clip["inputs"].shape[2] > 1
    # The last are those of the whole clip, as test.py found them.
    whole = load(trained.predictions)[1]["pred_score"].numpy()
    assert scores[-1] == pytest.approx(whole, abs=1e-4)
    # What comes later does not change what was said before.
    changed = dict(clip, inputs=clip["inputs"].clone())
    changed["inputs"][:, :, -1] = 0
    again = tool.scores_over_time(model, changed)
    assert np.array_equal(again[:-1], scores[:-1])
    gate = tool.last_gate(model, clip)
    assert len(gate) == len(scores) and gate.min() == 0 and 254 < gate.max() <= 255
    with pytest.raises(SystemExit):
        in_process(TOOL, trained.config, trained.checkpoint, out, "--clips", 10**6)


def test_edges_and_gates_lie_under_their_frames() -> None:
    import importlib.util

    from tool_runs import TOOLS

    spec = importlib.util.spec_from_file_location("draw_scores", TOOLS / TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    clip = torch.arange(4 * 5).view(4, 5, 1, 1).numpy()
    picture = tool.strip(clip, None, 3)
    assert picture[..., 0].tolist() == [[0, 2, 4], [15, 17, 19]]
    assert tool.strip(clip[:3], None, 5).shape == (1, 5, 3)
    clip = torch.arange(4 * 2 * 2).view(4, 2, 2, 1).numpy().repeat(4, axis=3)
    gate = torch.arange(2 * 1 * 2).view(2, 1, 2).numpy()
    picture = tool.strip(clip, gate, 2)[..., 0]
    assert picture[4:].tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]] * 2
