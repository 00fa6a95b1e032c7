"""tools/analysis_tools/order_of_frames.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import load
from tool_runs import Trained

TOOL = "analysis_tools/order_of_frames.py"


def test_every_change_is_scored(trained: Trained, in_process, tmp_path: Path) -> None:
    out = tmp_path / "order.json"
    tool = in_process(TOOL, trained.config, trained.checkpoint, "--json", out)
    accuracies = json.loads(out.read_text())
    assert list(accuracies) == list(tool.CHANGES)
    predictions = load(trained.predictions)
    hits = [int(p["pred_label"]) == int(p["gt_label"]) for p in predictions]
    assert accuracies["as they are"] == pytest.approx(np.mean(hits))

    # Two clips of four frames whose values tell clip and frame.
    clips = torch.arange(8.0).view(2, 1, 4, 1, 1)

    def changed(name: str) -> list:
        return tool.change_inputs(clips, tool.CHANGES[name])[:, 0, :, 0, 0].tolist()

    assert changed("reversed") == [[3, 2, 1, 0], [7, 6, 5, 4]]
    assert changed("last frame") == [[3, 3, 3, 3], [7, 7, 7, 7]]
    assert changed("first 25 %") == [[0], [4]]
    assert changed("first 75 %") == [[0, 1, 2], [4, 5, 6]]
    first, second = changed("shuffled")
    assert sorted(first) == [0, 1, 2, 3] != first
    assert [value - 4 for value in second] == first
    with pytest.raises(ValueError, match="NCTHW"):
        tool.change_inputs(clips[0], tool.CHANGES["reversed"])


def test_the_curves_are_the_means_of_seeds(in_process, tmp_path: Path) -> None:
    for seed, early in enumerate((0.2, 0.4)):
        scores = {"as they are": 0.9, "last frame": 0.1, "first 12.5 %": early}
        (tmp_path / f"{seed}.json").write_text(json.dumps(scores))
    out = tmp_path / "early.png"
    files = tmp_path / "0.json", tmp_path / "1.json"
    tool = in_process(
        "analysis_tools/plot_early.py",
        out,
        "--model",
        "A",
        *files,
        "--model",
        "B",
        files[0],
    )
    assert out.read_bytes().startswith(b"\x89PNG")
    assert tool.curve(files[1]) == {12.5: pytest.approx(40), 100: pytest.approx(90)}
