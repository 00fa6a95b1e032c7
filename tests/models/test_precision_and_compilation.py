from __future__ import annotations

import shutil

import pytest
import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from model_cases import ARCH, make_clips, small_backbone
from torch import nn

from lcr_mmaction.models import LCRHead

ONE_BLOCK = ARCH | dict(num_layers=1)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
@pytest.mark.parametrize("training", [False, True], ids=["testing", "training"])
def test_a_compiled_backbone_gives_the_same_features_and_gradients(training):
    torch._dynamo.reset()
    backbone, clips = small_backbone(arch=ONE_BLOCK), make_clips(1, 2)
    compiled = torch.compile(backbone.train(training), fullgraph=not training)
    results = []
    with torch.set_grad_enabled(training):
        for run in (backbone, compiled):
            features = run(clips)
            results.append([features])
            if training:
                loss = features.square().sum()
                results[-1] += torch.autograd.grad(loss, list(backbone.parameters()))
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4)


def test_bfloat16_steps_are_finite_and_learn():
    backbone = small_backbone().train()
    head = LCRHead(num_classes=2, in_channels=backbone.feat_dims)
    device = get_device()
    model = nn.ModuleList([backbone, head]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    wrapper = OPTIM_WRAPPERS.build(
        dict(type="AmpOptimWrapper", dtype="bfloat16", optimizer=optimizer)
    )
    clips, labels = make_clips().to(device), torch.tensor([0, 1], device=device)
    losses = []
    for _ in range(12):
        with wrapper.optim_context(model):
            logits = head(backbone(clips))
            assert logits.dtype == torch.float32
            loss = nn.functional.cross_entropy(logits, labels)
        wrapper.update_params(loss)
        losses.append(loss.item())
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert losses[-1] < losses[0] / 2


def test_dynamically_quantized_layers_give_nearly_the_same():
    backbone = small_backbone().eval()
    clips = make_clips()
    quantized = torch.ao.quantization.quantize_dynamic(backbone, {nn.Linear})
    with torch.no_grad():
        expected, features = backbone(clips), quantized(clips)
        state = quantized.init_state(clips.shape[0], clips.shape[-2:])
        frame, _ = quantized.step(clips[:, :, 0], state)
    # The scale of the activations is that of the batch, so a step differs a little.
    for result, exact in ((features, expected), (frame, expected[:, 0])):
        assert 0 < (result - exact).abs().max() < 0.1 * exact.abs().max()
