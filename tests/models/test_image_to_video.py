"""From an image model to a video model: where it starts, what it grows."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.analysis import get_model_complexity_info
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from model_cases import hide, make_clips
from torch import nn

from lcr_mmaction.deployment.export import step_program
from lcr_mmaction.deployment.graphs import StepGraph
from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models.vision_rwkv.archs import VISION_RWKV_ARCHS

ARCHS = {
    "4": dict(version=4, embed_dims=16, num_heads=2, layer_scale=None, num_layers=2),
    "6": dict(version=6, embed_dims=16, num_heads=2, layer_scale=0.5, num_layers=2),
}


@pytest.fixture(params=ARCHS)
def arch(request) -> dict:
    return ARCHS[request.param]


def fresh(arch: dict, **options) -> LCRBackbone:
    """A backbone whose image model is random, as if pretrained."""
    torch.manual_seed(0)
    backbone = LCRBackbone(arch=arch, img_size=32, patch_size=8, **options).eval()
    with torch.no_grad():
        for name, parameter in backbone.named_parameters():
            if ".cell." not in name and "edge_embed" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return backbone


def grown(arch: dict, **options) -> LCRBackbone:
    """One whose cells and edges have been trained."""
    backbone = fresh(arch, **options)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return backbone


def run_steps(backbone: LCRBackbone, clips: torch.Tensor) -> torch.Tensor:
    state, features = backbone.init_state(len(clips), tuple(clips.shape[-2:])), []
    for frame in clips.unbind(2):
        feature, state = backbone.step(frame, state)
        features.append(feature)
    return torch.stack(features, dim=1)


@torch.no_grad()
def test_a_fresh_video_model_sees_every_frame_as_the_image_model(arch):
    backbone, clips = fresh(arch), make_clips()
    features = backbone(clips)[..., :16]
    for t in range(clips.shape[2]):
        alone = backbone(clips[:, :, t : t + 1])[:, 0, :16]
        torch.testing.assert_close(features[:, t], alone, rtol=0, atol=1e-5)
    # Neither do the edges change it.
    clips[:, 3] = 1 - clips[:, 3]
    torch.testing.assert_close(backbone(clips)[..., :16], features, rtol=0, atol=0)


def test_memory_and_edges_grow_from_the_first_step(arch):
    backbone = fresh(arch).train()
    backbone(make_clips())[:, -1, :16].square().sum().backward()
    for block in backbone.blocks:
        assert (block.cell.share.grad.abs() > 0).all()
    assert backbone.edge_embed.project.weight.grad.abs().max() > 0
    optimizer = torch.optim.SGD(backbone.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    backbone(make_clips())[:, -1].square().sum().backward()
    # Once the cell has a share, its forget gate learns too.
    assert all(p.grad.abs().max() > 0 for p in backbone.parameters())


@torch.no_grad()
def test_what_has_grown_looks_back_and_never_ahead(arch):
    backbone, clips = grown(arch), make_clips()
    before = backbone(clips)[..., :16]
    clips[:, :, 2] += 1
    after = backbone(clips)[..., :16]
    torch.testing.assert_close(after[:, :2], before[:, :2], rtol=0, atol=0)
    assert (after[:, 3] - before[:, 3]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (48, 32)], ids=["own", "other"])
def test_a_stream_gives_what_the_clip_gives(arch, size):
    backbone, clips = grown(arch), make_clips(height=size[0], width=size[1])
    torch.testing.assert_close(
        run_steps(backbone, clips), backbone(clips), rtol=0, atol=1e-5
    )


def test_masked_patches_have_no_part_in_the_result(arch):
    backbone, clips = grown(arch).train(), make_clips()
    masked = torch.zeros(2, 4, 4, dtype=torch.bool)
    masked[:, 1:3, 2] = True
    features = backbone(hide(clips, masked))
    other = (
        clips + masked.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, None, None]
    )
    torch.testing.assert_close(backbone(hide(other, masked)), features)
    assert features.isfinite().all()


def test_recomputing_blocks_changes_nothing(arch):
    gradients = []
    for with_cp in (False, True):
        backbone = grown(arch, with_cp=with_cp).train()
        backbone(make_clips()).square().sum().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    torch.testing.assert_close(*gradients)


def test_drop_path_drops_branches_in_training_only(arch):
    backbone, clips = grown(arch, drop_path_rate=0.9), make_clips()
    with torch.no_grad():
        tested = backbone(clips)
        assert not torch.equal(backbone.train()(clips), tested)
        torch.testing.assert_close(backbone.eval()(clips), tested, rtol=0, atol=0)
    rates = [
        module.drop_prob
        for module in backbone.modules()
        if hasattr(module, "drop_prob")
    ]
    assert sorted(set(rates)) == [0.0, 0.9]


def test_frozen_stages_keep_embeddings_and_lower_blocks(arch):
    backbone = fresh(arch, frozen_stages=1).train()
    trained = {n for n, p in backbone.named_parameters() if p.requires_grad}
    assert {n.split(".")[0] for n in trained} == {"blocks", "output_norm"}
    assert {n.split(".")[1] for n in trained if n.startswith("blocks")} == {"1"}


@torch.no_grad()
def test_an_exported_step_holds_standard_operators_only(arch):
    model = recognizer(arch)
    model.backbone = grown(arch)
    step = StepGraph(model)
    frame = torch.randint(0, 256, (1, 32, 32, 4), dtype=torch.uint8)
    state = list(step.initial.values())
    program = step_program(step, (32, 32, 4))
    assert "lcr." not in program.graph_module.code
    inputs = (frame, torch.tensor([1.5]), *state)
    traced = program.module()(*inputs)
    torch.testing.assert_close(traced, step(*inputs), rtol=0, atol=1e-5)


def test_options_of_other_archs_are_refused(arch):
    with pytest.raises(ValueError, match="brings its own parts"):
        fresh(arch, cell="bounded")
    with pytest.raises(ValueError, match="brings its own parts"):
        fresh(arch, positions="none")


def test_bfloat16_autocast_runs(arch):
    backbone = grown(arch).train()
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(make_clips())
    features.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in backbone.parameters())


@pytest.mark.parametrize("name", ["vrwkv_tiny", "vrwkv6_tiny"])
def test_flops_are_counted_with_the_operator(name):
    arch = VISION_RWKV_ARCHS[name]._replace(num_layers=1)
    backbone = LCRBackbone(arch=arch._asdict(), img_size=64)
    counted = get_model_complexity_info(
        backbone, inputs=(torch.randn(1, 4, 2, 64, 64),), show_table=False
    )
    tokens, dim = 2 * 16, 192
    linears = 12 if arch.version == 4 else 14
    least = tokens * (linears * dim + (1 + 3) * 16 * 16) * dim
    # Low-rank products, the operator and the norms come on top.
    assert least < counted["flops"] < 1.25 * least


def recognizer(arch: dict) -> nn.Module:
    init_default_scope("mmaction")
    return MODELS.build(
        dict(
            type="Recognizer3D",
            backbone=dict(type="LCRBackbone", arch=arch, img_size=32, patch_size=8),
            cls_head=dict(type="LCRHead", num_classes=3, in_channels=32),
        )
    )


def layer_decay(model: nn.Module, **paramwise):
    return build_optim_wrapper(
        model,
        dict(
            type="OptimWrapper",
            constructor="LayerDecayOptimWrapperConstructor",
            optimizer=dict(type="AdamW", lr=1.0, weight_decay=0.05),
            paramwise_cfg=paramwise,
        ),
    )


def test_lower_layers_learn_slower_and_new_parts_at_the_full_rate(arch):
    model = recognizer(arch)
    wrapper = layer_decay(model, layer_decay_rate=0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {
        names[id(parameter)]: group
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
    assert groups.keys() == set(names.values())
    rates = {name: group["lr"] for name, group in groups.items()}
    assert rates["cls_head.fc_cls.weight"] == rates["backbone.output_norm.weight"] == 1
    assert rates["backbone.edge_embed.project.weight"] == 1
    assert rates["backbone.blocks.0.cell.share"] == 1
    assert rates["backbone.blocks.1.spatial_mix.key.weight"] == 0.5
    assert rates["backbone.blocks.0.spatial_mix.key.weight"] == 0.25
    assert rates["backbone.positions.table"] == rates["backbone.input_norm.bias"]
    assert rates["backbone.frame_embed.project.weight"] == 0.125
    decayed = {name for name, group in groups.items() if group["weight_decay"]}
    assert "backbone.blocks.0.spatial_mix.key.weight" in decayed
    for name, parameter in model.named_parameters():
        assert (parameter.dim() > 1 and "positions" not in name) or name not in decayed


def test_layer_decay_refuses_what_it_cannot_do(arch):
    with pytest.raises(ValueError, match="layer_decay_rate=1.5"):
        layer_decay(recognizer(arch), layer_decay_rate=1.5)
    with pytest.raises(ValueError, match="backbone.blocks"):
        layer_decay(nn.Linear(2, 2), layer_decay_rate=0.5)
