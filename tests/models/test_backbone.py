from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from model_cases import ARCH, VARIANTS, hide, make_clips, small_backbone

from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models import backbone as backbone_file
from lcr_mmaction.ops.fused import add_norm
from lcr_runtime.edge_methods import edge_map


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_later_frames_never_change_earlier_features(options):
    backbone, clips = small_backbone(**options), make_clips()
    changed = clips.clone()
    changed[:, :, 2:] += 1
    with torch.no_grad():
        before, after = backbone(clips), backbone(changed)
    torch.testing.assert_close(after[:, :2], before[:, :2], rtol=0, atol=0)
    assert (after[:, 2:] - before[:, 2:]).abs().amax(dim=(0, 2)).min() > 1e-4


@pytest.mark.parametrize("name", ["default", "paper", "attention", "dynamic_decay"])
def test_every_pixel_reaches_every_token_of_its_frame(name):
    options = VARIANTS[name] | dict(patch_embed="patch", token_shift="none")
    backbone, clips = small_backbone(**options), make_clips(n=1, t=1)
    seen = {}
    hook = backbone.blocks[-1].register_forward_hook(
        lambda module, inputs, outputs: seen.update(tokens=outputs[0])
    )
    clips.requires_grad_()
    backbone(clips)
    hook.remove()
    patches = seen["tokens"][:, :, backbone.num_prefix :]
    for token in (0, 15):
        (gradient,) = torch.autograd.grad(
            patches[0, 0, token].square().sum(), clips, retain_graph=True
        )
        reach = gradient[0].abs().amax(dim=(0, 1)).unfold(0, 8, 8).unfold(1, 8, 8)
        assert (reach.amax(dim=(2, 3)) > 0).all()


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_parameter_learns(options):
    backbone = small_backbone(**options).train()
    backbone(make_clips()).square().sum().backward()
    still = {
        name
        for name, parameter in backbone.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    if options == VARIANTS["paper"]:
        # Keys and values come from the edges alone, so that the class token never
        # sees what the frame looks like.
        assert {name.split(".")[0] for name in still} == {"frame_embed", "blocks"}
        still = {name for name in still if ".shift." not in name}
        still -= {"frame_embed.project.weight", "frame_embed.project.bias"}
    assert still == set()


@pytest.mark.parametrize("t", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (16, 40)])
def test_any_length_and_size(t, size):
    features = small_backbone()(make_clips(2, t, *size))
    assert features.shape == (2, t, 2 * ARCH["embed_dims"])
    assert features.isfinite().all()


def test_clips_without_edges_find_their_own():
    backbone = small_backbone()
    features = backbone(make_clips()[:, :3])
    blank = backbone(make_clips() * torch.tensor([1, 1, 1, 0.0]).view(4, 1, 1, 1))
    assert features.isfinite().all()
    assert (features - blank).abs().max() > 1e-3


@pytest.mark.parametrize("contrast", [1.0, 0.3])
def test_graph_edges_are_those_of_the_pipelines_method(contrast):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(0, 60, (48, 64, 3)), (0, 0), 2)
    frame = np.clip(128 + contrast * 4 * noise, 0, 255).astype(np.uint8)
    frame[10:30, 20:40] //= 4
    wanted = edge_map(frame, "sobel_relative") / 255
    assert 0.05 < wanted.mean() < 0.5 and wanted.max() == 1
    mean, std = torch.tensor([123.675, 116.28, 103.53]), 57.0
    normalised = ((torch.from_numpy(frame) - mean) / std).permute(2, 0, 1)
    found = small_backbone().graph_edges(normalised[None, None].float())[0, 0, 0]
    # The pipeline's method sees a grey frame of whole numbers.
    assert np.abs(found.numpy() - wanted).max() < 0.06
    assert np.abs(found.numpy() - wanted).mean() < 0.01


def test_graph_edges_of_a_blank_frame_are_none():
    frames = torch.full((1, 1, 3, 16, 16), 0.7)
    assert small_backbone().graph_edges(frames).abs().max() < 0.01


def test_graph_edges_ignore_contrast_and_brightness():
    edges = small_backbone().graph_edges
    frames = make_clips()[:, :3].transpose(1, 2)
    torch.testing.assert_close(
        edges(3 * frames + 7), edges(frames), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_clip_in_parts_gives_the_same_features(monkeypatch, options, masked):
    backbone, clips = small_backbone(**options), make_clips(2, 7)
    if masked:
        hidden = torch.zeros(2, 4, 4, dtype=torch.bool)
        hidden[:, 1] = True
        clips = hide(clips, hidden)
    parts = []
    backbone.blocks[0].register_forward_hook(
        lambda module, inputs, outputs: parts.append(inputs[0].shape[1])
    )
    whole = backbone(clips)
    monkeypatch.setattr(backbone_file, "CPU_TOKENS_AT_ONCE", 2 * 3 * 16)
    with torch.no_grad():
        torch.testing.assert_close(backbone(clips), whole, atol=1e-5, rtol=1e-5)
    assert parts == [7, 3, 3, 1]


def test_hidden_patches_are_dropped_and_never_seen():
    backbone, clips = small_backbone(), make_clips()
    masked = torch.zeros(2, 4, 4, dtype=torch.bool)
    masked[0, 1], masked[1, :, 2] = True, True
    tokens = []
    backbone.blocks[0].register_forward_hook(
        lambda module, inputs, outputs: tokens.append(outputs[0].shape[2])
    )
    hidden = backbone(hide(clips, masked))
    other = backbone(
        hide(clips.flip(0).flip(0) + 5 * hide(clips, masked).isinf(), masked)
    )
    assert tokens == [12, 12]
    torch.testing.assert_close(hidden, other, rtol=0, atol=0)
    assert (hidden - backbone(clips)).abs().max() > 1e-3


def test_blended_masks_keep_as_many_patches_as_the_poorest_clip():
    masked = torch.zeros(2, 4, 4, dtype=torch.bool)
    masked[0, :2], masked[1, 0] = True, True
    assert small_backbone()(hide(make_clips(), masked)).isfinite().all()


def test_a_wholly_masked_clip_is_refused():
    masked = torch.ones(2, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="mask_ratio"):
        small_backbone()(hide(make_clips(), masked))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_checkpointing_changes_no_gradient(options):
    gradients = []
    for with_cp in (False, True):
        backbone = small_backbone(**options, with_cp=with_cp).train()
        backbone(make_clips()).square().sum().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stages", [0, 1])
@pytest.mark.parametrize("readout", ["mean", "cls"])
def test_frozen_stages_stay_as_they_are(stages, readout):
    backbone = small_backbone(frozen_stages=stages, readout=readout).train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    optimizer = torch.optim.SGD(
        [p for p in backbone.parameters() if p.requires_grad], 1
    )
    backbone(make_clips()).square().sum().backward()
    optimizer.step()
    moved = {k for k, v in backbone.state_dict().items() if not v.equal(before[k])}
    trained = tuple(f"blocks.{i}." for i in range(stages, 2))
    assert moved == {k for k in before if k.startswith(trained)}


def test_drop_path_drops_whole_clips_in_training_only():
    backbone = small_backbone(drop_path_rate=0.5)
    clips = make_clips(1).expand(16, -1, -1, -1, -1)
    assert (backbone(clips) - backbone(clips[:1])).abs().max() < 1e-5
    torch.manual_seed(0)
    assert backbone.train()(clips).std(dim=0).max() > 1e-3


def test_bfloat16_autocast_stays_close():
    backbone, clips = small_backbone(), make_clips()
    with torch.no_grad():
        exact = backbone(clips)
        with torch.autocast("cpu", torch.bfloat16):
            rough = backbone(clips)
    assert (rough.float() - exact).norm() / exact.norm() < 0.03


@pytest.mark.parametrize("cell", ["leaky", "bounded"])
def test_memory_stays_below_its_bound_over_many_frames(cell):
    backbone = small_backbone(cell=cell)
    state = backbone.init_state(1)
    frame = make_clips(1, 1)[:, :, 0]
    seen = []
    for block in backbone.blocks:
        block.cell.register_forward_hook(
            lambda module, inputs, outputs: seen.append(
                (inputs[0][:, 0], module.forget(inputs[1])[:, 0])
            )
        )
    largest = [0.0] * len(backbone.blocks)
    with torch.no_grad():
        for _ in range(128):
            seen.clear()
            _, state = backbone.step(frame, state)
            largest = [
                max(old, gated.abs().max().item())
                for old, (gated, _) in zip(largest, seen, strict=True)
            ]
    for block, (_, forget), top in zip(state.blocks, seen, largest, strict=True):
        bound = forget / (1 - forget) if cell == "bounded" else top
        assert (block.memory.abs() <= bound).all()
        assert block.memory.any()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 2, 33, 32), "33x32"),
        ((1, 2, 2, 32, 32), "got 2"),
        ((4, 2, 32, 32), r"\(4, 2, 32, 32\)"),
    ],
)
def test_clips_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        small_backbone()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(cell="gru"), "cell='gru'.*bounded"),
        (dict(arch="huge"), "arch='huge'"),
        (dict(arch=dict(embed_dims=16)), "lacks"),
        (dict(arch=ARCH | dict(num_heads=3)), "num_heads=3"),
        (dict(frozen_stages=3), "frozen_stages=3"),
        (dict(patch_size=12), "power of two"),
        (dict(arch=ARCH | dict(num_heads=8)), "multiple of 4"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LCRBackbone(**(dict(arch=ARCH) | options))


def test_a_frame_of_another_size_does_not_fit_the_state():
    backbone = small_backbone()
    with pytest.raises(ValueError, match="init_state"):
        backbone.step(torch.zeros(1, 4, 16, 16), backbone.init_state(1))


def test_a_dropped_branch_is_the_sum_with_stock_drop_path():
    torch.manual_seed(0)
    block = small_backbone(drop_path_rate=0.5).blocks[-1].train()
    tokens, branch = torch.randn(2, 6, 2, 3, 32).unbind(0)
    torch.manual_seed(1)
    expected = tokens + block.drop_path(branch)
    torch.manual_seed(1)
    share = block._share(tokens)
    total, _ = add_norm(tokens, branch, share, block.channel_norm)
    assert torch.equal(total, expected)
    assert not torch.equal(expected, tokens + branch)
