"""The shipped model and the configs give what they gave: see ``kept_behaviour.py``."""

from __future__ import annotations

import json
from pathlib import Path

import kept_behaviour
import pytest
import torch

KEPT = json.loads(
    Path(__file__).with_suffix(".json").with_stem("kept_behaviour").read_text()
)
SMALL = ("lcr_jester_tiny", "lcr_jester_stream", "lcr_libras")


def test_the_shipped_model_gives_the_same_scores():
    scores = kept_behaviour.shipped_scores()
    kept = torch.tensor(KEPT["shipped_scores"])
    assert kept.std() > 0.5
    torch.testing.assert_close(scores, kept, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", KEPT["configs"])
def test_a_fresh_model_gives_the_same_scores_and_gradient(name):
    kept, fresh = KEPT["configs"][name], kept_behaviour.fresh(name)
    assert fresh["parameters"] == kept["parameters"]
    assert fresh["scores"] == pytest.approx(kept["scores"], abs=1e-3, rel=1e-3)
    assert fresh["gradient"] == pytest.approx(kept["gradient"], rel=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_a_clip_costs_the_same_flops(name):
    assert kept_behaviour.flops(name) == KEPT["configs"][name]["flops"]
