from __future__ import annotations

import pytest
import torch
from mmaction.structures import ActionDataSample

from lcr_mmaction.models import LCRHead


def make_head(**options) -> LCRHead:
    torch.manual_seed(0)
    return LCRHead(num_classes=3, in_channels=8, average_clips="prob", **options).eval()


def test_the_last_frame_or_the_mean_of_all_is_scored():
    feats = torch.randn(2, 5, 8)
    mean, last = make_head(consensus="mean"), make_head(consensus="last")
    per_frame = torch.stack([mean(feats[:, t]) for t in range(5)], 1)
    torch.testing.assert_close(mean(feats), per_frame.mean(1))
    torch.testing.assert_close(last(feats), per_frame[:, -1])


def test_logits_are_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert make_head()(torch.randn(2, 5, 8)).dtype == torch.float32


def test_loss_falls_when_the_head_is_trained():
    head = make_head().train()
    feats = torch.randn(6, 2, 8)
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(6)]
    optimizer = torch.optim.SGD(head.parameters(), 0.1)
    losses = []
    for _ in range(30):
        loss = head.loss(feats, samples)["loss_cls"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_an_unknown_consensus_is_refused():
    with pytest.raises(ValueError, match="'median'"):
        make_head(consensus="median")
