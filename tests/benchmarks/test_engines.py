"""The benchmark of engines: MMAction2's models as steps, its table and its plot."""

from __future__ import annotations

import itertools

import engines
import pytest
import torch
from shared.steps import ClipStep, normalised


@torch.no_grad()
def test_a_clip_that_slides_says_what_the_clip_says():
    step = ClipStep(frames=4, size=32)
    frames = torch.randint(0, 256, (6, 1, 32, 32, 3), dtype=torch.uint8)
    state = step.initial["past"]
    for frame in frames:
        logits, state = step(frame, torch.ones(1), state)
    clip = torch.stack([normalised(x) for x in frames[2:]], dim=2)
    torch.testing.assert_close(logits, step.head(step.backbone(clip)))


@pytest.fixture
def rows():
    kinds = [kind.split() for kind in engines.KINDS]
    return [
        engines.Row(model, *kind, threads, 1.0, 1234.5 / threads / (i + 1), 2.0, 99, 9)
        for i, model in enumerate(engines.FRAMES)
        for kind, threads in itertools.product(kinds, (1, 2))
    ]


def test_the_plot_has_no_text_upon_text(rows, texts_apart):
    assert len(texts_apart(engines.plot(rows))) > 60


def test_the_table_keeps_the_rows_of_earlier_calls(rows, tmp_path):
    engines.write(rows, tmp_path)
    assert engines.read_rows(tmp_path / "engines.csv") == rows
    lines = (tmp_path / "engines.md").read_text().splitlines()
    assert len(lines) == 2 + len(engines.FRAMES) * len(engines.KINDS)
    assert len({line.count("|") for line in lines}) == 1
    cells = "| lcr_jester | openvino bf16 | 617.2 ms | 2.0 ms | 308.6 ms |"
    assert sum(line.startswith(cells) for line in lines) == 1
