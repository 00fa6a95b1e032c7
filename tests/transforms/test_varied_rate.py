"""Windows at rates that vary, and the model that is told their times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

import lcr_mmaction.models  # noqa: F401
from lcr_mmaction.transforms import SampleVariedRate


def video(**changes) -> dict:
    return dict(total_frames=240, start_index=1, fps=24.0, gesture=(100, 130)) | changes


def test_times_are_those_of_the_chosen_frames():
    np.random.seed(0)
    steps = []
    for _ in range(200):
        window = SampleVariedRate(16, rate=4)(video())
        frames, elapsed = window["frame_inds"], window["elapsed"]
        assert frames.shape == elapsed.shape == (16,) and elapsed[0] == 1
        assert frames.min() >= 1 and frames.max() <= 240
        np.testing.assert_allclose(np.diff(frames) / 6, elapsed[1:], rtol=1e-6)
        assert frames[0] - 1 < 130 and frames[-1] - 1 >= 100
        steps.append(elapsed[1:])
    steps = np.concatenate(steps)
    assert steps.min() < 0.4 and steps.max() > 3


def test_without_variation_it_is_a_fixed_stride():
    np.random.seed(0)
    plain = dict(rates=(1, 1), jitter=0, drop=0)
    window = SampleVariedRate(8, rate=4, **plain)(video())
    assert np.array_equal(np.diff(window["frame_inds"]), [6] * 7)
    assert np.array_equal(window["elapsed"], np.ones(8))
    clip = dict(total_frames=32, start_index=0)
    frames = SampleVariedRate(8, **plain)(clip)["frame_inds"]
    assert np.array_equal(np.diff(frames), [4] * 7)


def test_beyond_the_end_frames_repeat_in_no_time():
    np.random.seed(0)
    window = SampleVariedRate(16, rate=4, rates=(1, 1), jitter=0)(
        video(total_frames=40, gesture=(0, 40))
    )
    past = window["frame_inds"] == 40
    assert past.sum() > 3 and not window["elapsed"][past][1:].any()


def test_a_share_of_windows_is_steady():
    np.random.seed(0)
    sample = SampleVariedRate(8, rate=4, steady=0.5)
    windows = [sample(video())["elapsed"] for _ in range(200)]
    assert 70 < sum((elapsed == 1).all() for elapsed in windows) < 130


def test_a_share_of_windows_begins_with_the_gesture():
    np.random.seed(0)
    sample = SampleVariedRate(8, rate=4, clips=0.5)
    windows = [sample(video()) for _ in range(200)]
    assert 70 < sum(window["frame_inds"][0] == 101 for window in windows) < 130
    late = sample(video(gesture=(230, 240)))
    assert late["frame_inds"].max() <= 240


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": (2, 1)},
        {"jitter": 1.0},
        {"drop": -0.1},
        {"steady": 1.5},
        {"clips": -1},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError):
        SampleVariedRate(8, **wrong)


def test_a_rate_needs_the_videos_own():
    with pytest.raises(KeyError, match="fps"):
        SampleVariedRate(8, rate=4)(dict(total_frames=40, start_index=0))


@torch.no_grad()
def test_the_recognizer_tells_the_backbone_the_times():
    torch.manual_seed(0)
    init_default_scope("mmaction")
    arch = dict(embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=2)
    model = MODELS.build(
        dict(
            type="LCRRecognizer",
            backbone=dict(type="LCRBackbone", arch=arch, img_size=16, patch_size=8),
            cls_head=dict(
                type="LCRHead", num_classes=3, in_channels=32, average_clips="prob"
            ),
            data_preprocessor=dict(type="LCRDataPreprocessor"),
        )
    ).eval()
    inputs, elapsed = torch.randn(2, 1, 4, 5, 16, 16), torch.rand(2, 5) * 2
    samples = [ActionDataSample(metainfo=dict(elapsed=x.numpy())) for x in elapsed]
    plain = [ActionDataSample(), ActionDataSample()]
    expected = model.backbone(inputs[:, 0], elapsed)
    assert model.extract_feat(inputs, data_samples=samples)[0].equal(expected)
    scores = model.predict(inputs, samples)[0].pred_score
    assert scores.equal(model.cls_head(expected).softmax(1)[0])
    assert not scores.allclose(model.predict(inputs, plain)[0].pred_score)
    with pytest.raises(ValueError, match="others have none"):
        model.extract_feat(inputs, data_samples=[samples[0], plain[0]])
