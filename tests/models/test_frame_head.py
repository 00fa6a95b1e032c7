"""The loss over frames."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from lcr_mmaction.models import LCRFrameHead


def make_head(**options) -> LCRFrameHead:
    torch.manual_seed(0)
    return LCRFrameHead(num_classes=4, in_channels=8, average_clips="prob", **options)


def samples(*labels) -> list[ActionDataSample]:
    return [ActionDataSample().set_gt_label(list(row)) for row in labels]


def test_each_frame_meets_its_own_target():
    head, feats = make_head(), torch.randn(2, 3, 8)
    labels = [(0, 2, 3), (1, 1, 0)]
    expected = F.cross_entropy(
        head.score(feats).flatten(0, 1), torch.tensor(labels).flatten()
    )
    losses = head.loss(feats, samples(*labels))
    torch.testing.assert_close(losses["loss_cls"], expected)
    best = head.score(feats).argmax(-1).tolist()
    assert head.loss(feats, samples(*best))["top1_acc"] == 1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ignored_frames_have_no_gradient(smoothing):
    head = make_head(label_smooth_eps=smoothing)
    feats = torch.randn(2, 3, 8, requires_grad=True)
    loss = head.loss(feats, samples((0, -1, 3), (-1, -1, 0)))["loss_cls"]
    loss.backward()
    moved = feats.grad.abs().amax(-1) > 0
    assert moved.tolist() == [[True, False, True], [False, False, True]]
    changed = feats.detach().clone()
    changed[0, 1] += 1
    again = head.loss(changed, samples((0, -1, 3), (-1, -1, 0)))["loss_cls"]
    assert again == loss


def test_a_single_known_frame_is_enough():
    losses = make_head().loss(torch.randn(1, 3, 8), samples((-1, 2, -1)))
    assert torch.isfinite(losses["loss_cls"])


def test_clips_are_scored_by_their_last_frame():
    head, feats = make_head().eval(), torch.randn(2, 3, 8)
    (first, _) = head.predict(feats, samples((0,), (1,)))
    torch.testing.assert_close(
        first.pred_score, head.score(feats[0, -1]).softmax(-1), atol=1e-6, rtol=0
    )


def test_targets_that_do_not_fit_are_refused():
    head, feats = make_head(), torch.randn(2, 3, 8)
    with pytest.raises(ValueError, match=r"3 frames of a clip, got gt_label of \[1\]"):
        head.loss(feats, samples((0,), (1,)))
    with pytest.raises(ValueError, match="all are ignored"):
        head.loss(feats, samples((-1, -1, -1), (-1, -1, -1)))
