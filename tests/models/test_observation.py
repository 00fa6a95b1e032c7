"""What is read from a model's parts, against what is known of them."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from lcr_mmaction.observation import decay_profile, effective_reach, observe

LCR = dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2)
ARCHS = {
    "lcr": LCR,
    "version 4": dict(
        version=4, embed_dims=16, num_heads=1, layer_scale=None, num_layers=2
    ),
    "version 6": dict(
        version=6, embed_dims=16, num_heads=2, layer_scale=None, num_layers=2
    ),
}


def build(arch=LCR, **options):
    init_default_scope("mmaction")
    torch.manual_seed(0)
    backbone = dict(type="LCRBackbone", arch=arch, img_size=32, patch_size=8, **options)
    head = dict(type="LCRHead", num_classes=3, in_channels=32, average_clips="prob")
    preprocessor = dict(
        type="LCRDataPreprocessor",
        mean=[120, 120, 120, 0],
        std=[60, 60, 60, 255],
        format_shape="NCTHW",
    )
    return MODELS.build(
        dict(
            type="Recognizer3D",
            backbone=backbone,
            cls_head=head,
            data_preprocessor=preprocessor,
        )
    )


def a_clip(frames=3, height=32, width=24):
    generator = torch.Generator().manual_seed(0)
    shape = (4, frames, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_one_decay_reaches_as_its_closed_form_says():
    log_decay = torch.tensor([[-0.5, -2.0], [-0.1, -50.0]])
    profile = decay_profile(log_decay, 400)
    q = log_decay.double().exp()
    torch.testing.assert_close(profile[0], torch.ones_like(q))
    torch.testing.assert_close(profile[6], q**6)
    reach = 1 / (1 - q)
    torch.testing.assert_close(effective_reach(profile), reach.mean(dim=-1))
    # No decay at all: every distance alike.
    everywhere = effective_reach(decay_profile(torch.zeros(1, 1), 5))
    torch.testing.assert_close(everywhere, torch.tensor([2.5]).double())


def test_decays_of_each_token_are_averaged_over_pairs():
    log_decay = -torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0))
    profile = decay_profile(log_decay, 6)
    for distance in range(1, 6):
        weights = [
            log_decay[s + 1 : s + distance].double().sum(dim=0).exp()
            for s in range(6 - distance)
        ]
        torch.testing.assert_close(profile[distance - 1], torch.stack(weights).mean(0))


@pytest.mark.parametrize("options", [{}, dict(block="feedback"), dict(readout="cls")])
def test_gates_receptances_and_decays_are_those_of_the_blocks(options):
    model = build(**options)
    first, second = model.backbone.blocks
    with torch.no_grad():
        first.cell.scale.zero_()
        first.cell.bias.fill_(50.0)
        second.cell.scale.zero_()
        second.cell.bias.fill_(-50.0)
        for block in (first, second):
            # A receptance of (3, 4, 0, ...) everywhere, whatever the frame.
            block.gate.receptance_gate.weight.zero_()
            block.gate.receptance_gate.bias.zero_()
            block.gate.receptance_gate.bias[:2] = torch.tensor([3.0, 4.0])
        first.gate.mixer.decay_speed.fill_(5.0)  # nothing passes a neighbour
    seen = observe(model, a_clip())
    ones = torch.ones(3, 4, 3)
    torch.testing.assert_close(seen.blocks[0].forget, ones)
    torch.testing.assert_close(seen.blocks[1].forget, 0 * ones)
    for block in seen.blocks:
        torch.testing.assert_close(block.receptance, 5 * ones)
    torch.testing.assert_close(seen.blocks[0].reach, torch.ones(2).double())
    assert (seen.blocks[1].reach > 1.5).all()


@pytest.mark.parametrize("arch", ARCHS)
def test_watching_changes_nothing(arch):
    model = build(ARCHS[arch]).eval()
    clip = a_clip(height=32, width=32)
    batch = dict(inputs=[clip[None]], data_samples=[ActionDataSample()])
    with torch.no_grad():
        expected = model.test_step(batch)[0].pred_score
        seen = observe(model, clip)
        torch.testing.assert_close(seen.scores[-1], expected)
        torch.testing.assert_close(model.test_step(batch)[0].pred_score, expected)
    assert not any(part._forward_hooks for part in model.modules())
    assert seen.scores.shape == (3, 3)
    for block in seen.blocks:
        assert block.forget.shape == block.receptance.shape == (3, 4, 4)
        assert len(block.profile) == 15


def test_decays_of_image_models_are_theirs():
    model = build(ARCHS["version 6"])
    with torch.no_grad():
        for block in model.backbone.blocks:
            block.spatial_mix.decay_up.zero_()
            block.spatial_mix.decay.zero_()  # w = -1 everywhere
    reach = observe(model, a_clip(height=32, width=32)).blocks[0].reach
    expected = effective_reach(decay_profile(-torch.ones(2, 1), 16))
    torch.testing.assert_close(reach, expected)
    model = build(ARCHS["version 4"])
    with torch.no_grad():
        model.backbone.blocks[0].spatial_mix.decay.fill_(16.0)  # over 16 tokens
    reach = observe(model, a_clip(height=32, width=32)).blocks[0].reach
    torch.testing.assert_close(reach, expected[:1])


def test_parts_that_are_not_there_are_none():
    seen = observe(build(cell="none", mixer="attention"), a_clip())
    assert seen.blocks[0].forget is None and seen.blocks[0].reach is None
    assert seen.blocks[0].receptance.shape == (3, 4, 3)
