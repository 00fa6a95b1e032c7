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


def test_missing_frames_are_lost_whole_and_the_others_stay():
    script = runpy.run_path(str(SCRIPT))
    hands = torch.rand(500, script["LONGEST"], 30)
    lengths = torch.full((500,), script["LONGEST"])
    see = (hands, lengths, torch.zeros(500), 4.0, 0.0)
    torch.manual_seed(0)
    whole, left = (
        script["seen"](*see, missing).unflatten(1, (-1, 31)) for missing in (0.0, 0.3)
    )
    kept = left[..., 30] == 1
    assert torch.equal(left[kept], whole[kept]) and not left[~kept].any()
    share = kept.sum() / (whole[..., 30] == 1).sum()
    assert 0.67 < share < 0.73
