"""TubeMask: which pixels it hides, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.dataset import Compose, worker_init_fn
from torch.utils.data import DataLoader, Dataset

import lcr_mmaction  # noqa: F401  (registers the transforms)
from lcr_mmaction.transforms import TubeMask


def clip_of(num_clips: int = 1, clip_len: int = 4, size=(64, 96), channels: int = 4):
    rng = np.random.default_rng(3)
    shape = (num_clips * clip_len, *size, channels)
    frames = list(rng.integers(0, 256, shape, dtype=np.uint8))
    return dict(imgs=frames, num_clips=num_clips, clip_len=clip_len)


def hidden_patches(frame: np.ndarray, patch_size: int = 16) -> np.ndarray:
    """Return rows x cols booleans, having checked that patches are all or none."""
    rows, cols = (side // patch_size for side in frame.shape[:2])
    hidden = np.isneginf(frame.astype(np.float32))
    hidden = hidden.reshape(rows, patch_size, cols, patch_size, -1)
    hidden = hidden.transpose(0, 2, 1, 3, 4).reshape(rows, cols, -1)
    assert np.array_equal(hidden.any(-1), hidden.all(-1))
    return hidden.any(-1)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75, 0.99])
def test_one_tube_per_clip(ratio, channels):
    before = clip_of(num_clips=2, channels=channels)
    frames = TubeMask(ratio)(dict(before))["imgs"]
    masks = [hidden_patches(frame) for frame in frames]
    for clip in (masks[:4], masks[4:]):
        assert all(np.array_equal(mask, clip[0]) for mask in clip)
    # 4 x 6 patches of 16 pixels; the number hidden is rounded down.
    assert {int(mask.sum()) for mask in masks} == {int(ratio * 24)}
    for old, new in zip(before["imgs"], frames, strict=True):
        kept = ~np.isneginf(new.astype(np.float32))
        assert np.array_equal(new[kept].astype(np.uint8), old[kept])


def test_clips_of_a_sample_are_masked_differently():
    np.random.seed(0)
    frames = TubeMask(0.5)(clip_of(num_clips=2))["imgs"]
    assert not np.array_equal(hidden_patches(frames[0]), hidden_patches(frames[4]))


def test_every_patch_is_hidden_equally_often():
    np.random.seed(0)
    transform = TubeMask(0.5, patch_size=32)
    counts = sum(
        hidden_patches(transform(clip_of(clip_len=1))["imgs"][0], 32).astype(int)
        for _ in range(400)
    )
    # 400 fair draws: 200 expected, standard deviation 10.
    assert counts.shape == (2, 3)
    assert counts.min() > 150 and counts.max() < 250


def test_ratio_zero_changes_nothing():
    results = clip_of()
    frames = results["imgs"]
    state = np.random.get_state()[2]
    assert TubeMask(0)(results) is results
    assert results["imgs"] is frames
    assert np.random.get_state()[2] == state, "random numbers were used"


def test_numpy_seed_governs_the_mask():
    def masks(seed: int) -> np.ndarray:
        np.random.seed(seed)
        return hidden_patches(TubeMask(0.5)(clip_of())["imgs"][0])

    assert np.array_equal(masks(1), masks(1))
    assert not np.array_equal(masks(1), masks(2))


class OneClipMany(Dataset):
    """The same clip again and again, masked by the worker that loads it."""

    transform = TubeMask(0.5)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        frames = self.transform(clip_of(clip_len=1))["imgs"]
        return torch.from_numpy(hidden_patches(frames[0]))


def test_loader_workers_draw_different_masks_repeatably():
    def masks() -> torch.Tensor:
        def init(worker: int) -> None:
            worker_init_fn(worker, num_workers=2, rank=0, seed=5)

        loader = DataLoader(OneClipMany(), num_workers=2, worker_init_fn=init)
        return torch.cat(list(loader)).flatten(1)

    first = masks()
    assert torch.equal(first, masks())
    assert len(first.unique(dim=0)) == 8


def test_minus_infinity_survives_the_stock_formatting_and_preprocessor():
    pipeline = Compose(
        [
            TubeMask(0.75),
            TRANSFORMS.build(dict(type="FormatShape", input_format="NCTHW")),
            TRANSFORMS.build(dict(type="PackActionInputs")),
        ]
    )
    packed = pipeline(clip_of())
    preprocessor = MODELS.build(
        dict(
            type="ActionDataPreprocessor",
            mean=[123.675, 116.28, 103.53, 0],
            std=[58.395, 57.12, 57.375, 255],
            format_shape="NCTHW",
        )
    )
    batch = dict(inputs=[packed["inputs"]], data_samples=[packed["data_samples"]])
    inputs = preprocessor(batch)["inputs"]
    assert inputs.dtype == torch.float32
    assert inputs.shape == (1, 1, 4, 4, 64, 96)
    assert torch.isneginf(inputs).float().mean() == 0.75
    assert torch.isfinite(inputs).float().mean() == 0.25


def test_the_backbone_does_not_see_hidden_patches():
    backbone = MODELS.build(
        dict(
            type="LCRBackbone",
            arch=dict(embed_dims=32, num_layers=1, num_heads=1, mlp_ratio=1.0),
            img_size=64,
        )
    ).eval()

    def features(results: dict, mask: np.ndarray) -> torch.Tensor:
        transform = TubeMask(0.5)
        transform._random_masks = lambda *_: mask[None]
        clip = np.stack(transform(dict(results))["imgs"]).transpose(3, 0, 1, 2)
        with torch.no_grad():
            return backbone(torch.from_numpy(clip).float()[None] / 255)

    np.random.seed(0)
    mask = np.random.permutation(16).reshape(4, 4) < 8
    clip, other = clip_of(size=(64, 64)), clip_of(size=(64, 64))
    pixels = mask.repeat(16, 0).repeat(16, 1)
    for frame in other["imgs"]:
        frame[pixels] = 255 - frame[pixels]
    assert torch.equal(features(clip, mask), features(other, mask))
    other = clip_of(size=(64, 64))
    for frame in other["imgs"]:
        frame[~pixels] = 255 - frame[~pixels]
    assert not torch.allclose(features(clip, mask), features(other, mask))


@pytest.mark.parametrize("ratio", [-0.1, 1, 1.5, float("nan")])
def test_ratio_out_of_range(ratio):
    with pytest.raises(ValueError, match=r"mask_ratio must lie in \[0, 1\), got"):
        TubeMask(ratio)


def test_patch_size_out_of_range():
    with pytest.raises(ValueError, match="patch_size must be at least 1, got 0"):
        TubeMask(0.5, patch_size=0)


@pytest.mark.parametrize("size", [(60, 64), (64, 60)])
def test_frames_the_patch_does_not_divide(size):
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]}.*patches of 16"):
        TubeMask(0.5)(clip_of(size=size))


def test_after_format_shape():
    results = TRANSFORMS.build(dict(type="FormatShape", input_format="NCTHW"))(
        clip_of()
    )
    with pytest.raises(ValueError, match="move TubeMask before FormatShape"):
        TubeMask(0.5)(results)


def test_masking_twice():
    results = TubeMask(0.5)(clip_of())
    with pytest.raises(ValueError, match="uint8 frames, got float16: use it once"):
        TubeMask(0.5)(results)


def test_frames_that_are_no_whole_clips():
    results = clip_of()
    results["imgs"].pop()
    with pytest.raises(ValueError, match="3 frames, which is no multiple of clip_len"):
        TubeMask(0.5)(results)
