"""What a frame rate leaves of a performance."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools/data/synthetic/rate_limits.py"


def test_a_rate_leaves_the_frames_that_clips_are_fed_at():
    script = runpy.run_path(str(SCRIPT))
    label, hand = script["draw"]("validation", 3, False)
    assert label == 3 and hand.shape[1] == 30
    hands = torch.zeros(1, script["LONGEST"], 30)
    hands[0, : len(hand)] = torch.from_numpy(hand)
    lengths, first = torch.tensor([len(hand)]), torch.zeros(1)
    left = script["seen"](hands, lengths, first, 2.0, 0.0).unflatten(1, (-1, 31))[0]
    shown = left[:, 30] == 1
    assert torch.equal(left[shown, :30], hands[0, : len(hand) : 6])
    assert not left[~shown].any()
