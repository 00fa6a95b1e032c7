"""Gradient accumulation: two halves of a batch are the batch."""

from __future__ import annotations

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2)
IMAGE_MODEL = dict(
    version=4, embed_dims=16, num_heads=1, layer_scale=None, num_layers=2
)


def recognizer(**backbone):
    init_default_scope("mmaction")
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type="Recognizer3D",
            backbone=dict(type="LCRBackbone", img_size=16, patch_size=8, **backbone),
            cls_head=dict(type="LCRHead", num_classes=3, in_channels=32),
            data_preprocessor=dict(
                type="LCRDataPreprocessor",
                mean=[120, 120, 120, 0],
                std=[60, 60, 60, 255],
                format_shape="NCTHW",
            ),
        )
    )
    return model.train()


def a_batch(size):
    generator = torch.Generator().manual_seed(1)
    shape = (size, 1, 4, 3, 16, 16)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = [ActionDataSample().set_gt_label(i % 3) for i in range(size)]
    return dict(inputs=list(clips), data_samples=labels)


def weights_after(model, batch, parts):
    """Weights after one update by a batch that is read in ``parts``."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=parts)
    wrapper.initialize_count_status(model, init_counts=0, max_counts=parts)
    size = len(batch["inputs"]) // parts
    for start in range(0, len(batch["inputs"]), size):
        part = {key: value[start : start + size] for key, value in batch.items()}
        model.train_step(part, wrapper)
    return model.state_dict()


@pytest.mark.parametrize(
    "backbone",
    [
        dict(arch=ARCH, patch_embed="patch"),
        dict(arch=ARCH, frozen_stages=0),
        dict(arch=IMAGE_MODEL),
        dict(arch=IMAGE_MODEL, with_cp=True),
    ],
)
def test_two_halves_are_the_batch(backbone):
    model, batch = recognizer(**backbone), a_batch(6)
    whole, halves = (weights_after(model, batch, parts) for parts in (1, 2))
    start = model.state_dict()
    moved = {k for k in whole if not torch.equal(whole[k], start[k])}
    assert "cls_head.fc_cls.weight" in moved and len(moved) > 20
    for name in whole:
        torch.testing.assert_close(halves[name], whole[name], rtol=1e-4, atol=1e-5)


def test_batch_norm_of_the_stem_sees_halves():
    """The only part that knows of other clips: what docs/distributed.md says of it."""
    model, batch = recognizer(arch=ARCH), a_batch(6)
    whole, halves = (weights_after(model, batch, parts) for parts in (1, 2))
    name = "backbone.frame_embed.norms.0.running_mean"
    assert not torch.allclose(halves[name], whole[name], rtol=1e-4, atol=1e-5)
