"""One random change of a whole clip: of its time, its place or its levels."""

from __future__ import annotations

import random

import numpy as np
import pytest

from lcr_mmaction.transforms import (
    RandomAffine,
    RandomGrey,
    RandomRelativeCrop,
    RandomTemporalCrop,
    TimeWarpedSample,
)


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


def warped(total: int, start: int = 1, **options: float) -> np.ndarray:
    sample = TimeWarpedSample(clip_len=16, **options)
    results = sample(dict(start_index=start, total_frames=total))
    assert results["num_clips"] == 1 and results["clip_len"] == 16
    return results["frame_inds"]


@pytest.mark.parametrize("total", [1, 5, 16, 200])
def test_warped_frames_are_in_order_and_inside_the_clip(total):
    np.random.seed(0)
    for _ in range(50):
        frames = warped(total)
        assert len(frames) == 16 and (np.diff(frames) >= 0).all()
        assert frames[0] >= 1 and frames[-1] <= total


def test_warped_clips_hurry_and_linger_but_reach_the_end():
    np.random.seed(0)
    seen = np.array([warped(1600, start=0) for _ in range(200)])
    even = np.array([warped(1600, start=0, spread=0) for _ in range(200)])
    assert np.array_equal(even // 100, np.tile(np.arange(16), (200, 1)))
    assert seen[:, 8].std() > 3 * even[:, 8].std()
    assert abs(seen[:, 8].mean() - 850) < 60  # no way to bend time is preferred
    assert (seen[:, 0] < 400).all() and (seen[:, 15] > 1300).all()


def test_grey_levels_move_together_and_the_background_stays():
    np.random.seed(0)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=-1)
    looks = []
    for _ in range(20):
        first, second = RandomGrey()(dict(imgs=[ramp, ramp.copy()]))["imgs"]
        assert np.array_equal(first, second) and first.dtype == np.uint8
        assert (first[0] == 0).all() and (
            np.diff(first[:, 0, 0].astype(int)) >= 0
        ).all()
        assert first[40].min() >= 20
        looks.append(int(first[150, 0, 0]))
    assert 125 <= min(looks) < 135 and 165 < max(looks) <= 175
    (same,) = RandomGrey(scale=0, shift=0)(dict(imgs=[ramp]))["imgs"]
    assert np.array_equal(same, ramp)


def test_warp_and_grey_refuse_wrong_amounts():
    with pytest.raises(ValueError, match="TimeWarpedSample needs"):
        TimeWarpedSample(clip_len=16, spread=-1)
    with pytest.raises(ValueError, match="RandomGrey needs"):
        RandomGrey(scale=1.5)


@pytest.mark.parametrize(("height", "width"), [(160, 90), (90, 160), (64, 64)])
def test_crops_have_the_shape_of_the_picture_more_or_less(height, width):
    np.random.seed(0)
    random.seed(0)
    transform = RandomRelativeCrop((0.7, 1.0), (0.72, 1.28))
    boxes = set()
    for _ in range(50):
        imgs = [np.zeros((height, width, 3), np.uint8)]
        results = transform(dict(imgs=imgs, img_shape=(height, width)))
        new_height, new_width = results["imgs"][0].shape[:2]
        assert 0.68 < new_height * new_width / (height * width) <= 1
        assert 0.69 < (new_width / new_height) * (height / width) < 1.34
        boxes.add(tuple(results["crop_bbox"].tolist()))
    assert len(boxes) > 40
