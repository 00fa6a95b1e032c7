"""RandomTemporalCrop and RandomAffine: one random change of a whole clip."""

from __future__ import annotations

import numpy as np
import pytest

from lcr_mmaction.transforms import RandomAffine, RandomTemporalCrop


def clip(frames: int = 3, side: int = 64) -> dict:
    """A white square on a plain ground of (0, 128, 10), the same in all frames."""
    frame = np.empty((side, side, 3), np.uint8)
    frame[:] = (0, 128, 10)
    frame[24:40, 24:40] = 255
    return dict(imgs=[frame.copy() for _ in range(frames)])


def test_temporal_crops_are_runs_inside_the_clip():
    np.random.seed(0)
    seen = set()
    for _ in range(300):
        results = dict(start_index=1, total_frames=20)
        results = RandomTemporalCrop(min_share=0.5)(results)
        first, kept = results["start_index"], results["total_frames"]
        assert first >= 1 and first + kept <= 21 and kept >= 10
        seen |= {first, first + kept}
    assert {1, 11, 21} <= seen


@pytest.mark.parametrize("frames", [1, 2])
def test_temporal_crops_leave_a_frame(frames):
    results = RandomTemporalCrop(0.1)(dict(start_index=0, total_frames=frames))
    assert 1 <= results["total_frames"] <= frames


def test_affine_maps_are_the_same_in_all_frames_and_keep_the_ground():
    np.random.seed(0)
    transform = RandomAffine(degrees=20, translate=0.2, scale=(0.8, 1.2), shear=10)
    looks = []
    for _ in range(10):
        results = transform(clip())
        first, *others = results["imgs"]
        assert all(np.array_equal(first, other) for other in others)
        assert first.shape == (64, 64, 3) and first.dtype == np.uint8
        border = np.concatenate([first[0], first[-1], first[:, 0], first[:, -1]])
        assert (border == (0, 128, 10)).all()
        looks.append(first)
    assert not np.array_equal(looks[0], looks[1])


def test_affine_without_amounts_changes_nothing():
    before = clip()["imgs"]
    assert np.array_equal(before, RandomAffine()(clip())["imgs"])


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_affine_scales_areas(scale):
    np.random.seed(0)
    frame = RandomAffine(scale=(scale, scale))(clip())["imgs"][0]
    area = (frame[..., 0] > 127).sum()
    assert area == pytest.approx(256 * scale**2, rel=0.1)


def test_affine_shifts_stay_within_the_share():
    np.random.seed(0)
    middles = []
    for _ in range(100):
        frame = RandomAffine(translate=0.1)(clip())["imgs"][0]
        middles.append(np.argwhere(frame[..., 0] > 127).mean(0) - 31.5)
    assert 5 < np.abs(middles).max() < 7.4  # 6.4 pixels


@pytest.mark.parametrize("share", [0, 1.5])
def test_temporal_crop_refuses_wrong_shares(share):
    with pytest.raises(ValueError, match="min_share"):
        RandomTemporalCrop(share)


@pytest.mark.parametrize("option", [dict(degrees=-1), dict(scale=(0, 1))])
def test_affine_refuses_wrong_amounts(option):
    with pytest.raises(ValueError, match="RandomAffine needs"):
        RandomAffine(**option)
