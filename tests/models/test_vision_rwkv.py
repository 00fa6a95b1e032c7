"""Vision-RWKV as it is: every layer against its published equations."""

from __future__ import annotations

import pytest
import torch
import vision_rwkv_reference as reference
from torch import Tensor

from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models.vision_rwkv.archs import VISION_RWKV_ARCHS, VisionRWKVArch
from lcr_mmaction.models.vision_rwkv.conversion import convert

SMALL = {
    "4": dict(version=4, embed_dims=32, num_heads=2, layer_scale=None, num_layers=2),
    "4 scaled": dict(
        version=4, embed_dims=32, num_heads=2, layer_scale=0.5, num_layers=2
    ),
    "6": dict(version=6, embed_dims=32, num_heads=2, layer_scale=None, num_layers=2),
    "6 scaled": dict(
        version=6, embed_dims=32, num_heads=2, layer_scale=0.5, num_layers=2
    ),
}


def weights_of(arch: dict, **options) -> reference.Weights:
    return reference.random_weights(
        arch["version"],
        arch["embed_dims"],
        arch["num_heads"],
        arch["num_layers"],
        arch["layer_scale"] is not None,
        **options,
    )


def run_ours(arch, weights: reference.Weights, images: Tensor, **options) -> dict:
    """Tokens after every block, pooled features and logits, of one-frame clips."""
    backbone = LCRBackbone(arch=arch, **options).eval()
    converted = convert(weights, backbone).state_dict
    head = [converted.pop(f"cls_head.fc_cls.{name}") for name in ("weight", "bias")]
    backbone.load_state_dict(
        {key.removeprefix("backbone."): value for key, value in converted.items()}
    )
    results = {}
    for i, block in enumerate(backbone.blocks):
        block.register_forward_hook(
            lambda module, inputs, outputs, i=i: results.update(
                {f"layer {i}": outputs[0][:, 0]}
            )
        )
    with torch.no_grad():
        features = backbone(images.unsqueeze(2))[:, 0]
    results["pooled"] = features[:, : backbone.embed_dims]
    results["logits"] = torch.nn.functional.linear(results["pooled"], *head)
    return results


def error(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, float]:
    assert ours.keys() == theirs.keys()
    return {
        name: float((ours[name] - theirs[name]).norm() / theirs[name].norm())
        for name in theirs
    }


def images_of(side: int = 32, count: int = 2) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("side", [32, 40], ids=["own grid", "resized positions"])
def test_every_layer_is_the_image_models(name, side):
    weights = weights_of(SMALL[name], side=8, patch=4)
    images = images_of(side)
    theirs = reference.run(weights, images, patch=4)
    ours = run_ours(SMALL[name], weights, images, img_size=32, patch_size=4)
    assert max(error(ours, theirs).values()) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", VISION_RWKV_ARCHS)
def test_every_layer_of_every_published_size_is_the_image_models(name):
    weights = weights_of(VISION_RWKV_ARCHS[name]._asdict())
    images = images_of(224, count=1)
    theirs = reference.run(weights, images)
    assert max(error(run_ours(name, weights, images), theirs).values()) < 1e-5


@pytest.mark.parametrize("name", SMALL)
def test_every_wrong_weight_is_noticed(name):
    weights = weights_of(SMALL[name], side=4, patch=8)
    images = images_of(32, count=1)
    theirs = reference.run(weights, images, patch=8)
    for key in weights:
        wrong = weights | {key: weights[key].roll(1, dims=-1)}
        ours = run_ours(SMALL[name], wrong, images, img_size=32, patch_size=8)
        assert max(error(ours, theirs).values()) > 1e-4, key


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("vrwkv_tiny", 5_962_176), ("vrwkv6_tiny", 7_448_256)],
)
def test_parameters_are_the_published_ones_plus_cell_and_edges(name, parameters):
    with torch.device("meta"):
        backbone = LCRBackbone(arch=name)
    added = 192 * 256 + 192 + 12 * 3 * 192
    assert sum(p.numel() for p in backbone.parameters()) == parameters + added


def test_archs_that_cannot_be_built_are_refused():
    with pytest.raises(ValueError, match="version"):
        LCRBackbone(arch=SMALL["4"] | dict(version=5))
    with pytest.raises(ValueError, match="describes no Vision-RWKV"):
        LCRBackbone(arch=dict(version=4, embed_dims=32))
    assert VisionRWKVArch(**SMALL["6"]).num_heads == 2
