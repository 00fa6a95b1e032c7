"""Published weights through the converter, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from lcr_mmaction.models import LCRBackbone

sys.path.append(str(Path(__file__).parents[1] / "models"))
import vision_rwkv_reference as reference

TOOL = "model_converters/vision_rwkv.py"


@pytest.fixture(scope="module")
def weights() -> reference.Weights:
    return reference.random_weights(4, 192, 3, 12, scaled=False)


@pytest.fixture
def run(in_process, tmp_path, capsys):
    """Convert a checkpoint; what was written and what was printed."""

    def convert(checkpoint, *options):
        torch.save(checkpoint, tmp_path / "in.pth")
        in_process(TOOL, tmp_path / "in.pth", tmp_path / "out" / "out.pth", *options)
        return (
            torch.load(tmp_path / "out" / "out.pth", weights_only=True),
            capsys.readouterr().out.splitlines(),
        )

    return convert


def test_converted_weights_start_the_backbone_as_the_image_model(run, weights):
    written, printed = run({"state_dict": weights, "meta": {"epoch": 300}})
    assert written["meta"]["arch"] == "vrwkv_tiny"
    meaning = written["state_dict"]._metadata["backbone"]["lcr_meaning"]
    assert meaning["image_model"] == "vision_rwkv 4"
    backbone = LCRBackbone(arch="vrwkv_tiny").eval()
    own = {
        key.removeprefix("backbone."): value
        for key, value in written["state_dict"].items()
        if key.startswith("backbone.")
    }
    backbone.load_state_dict(own)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = backbone(images.unsqueeze(2))[:, 0, :192]
    theirs = reference.run(weights, images)
    torch.testing.assert_close(features.double(), theirs["pooled"], rtol=0, atol=1e-4)
    head = written["state_dict"]
    logits = features @ head["cls_head.fc_cls.weight"].t()
    logits = (logits + head["cls_head.fc_cls.bias"]).double()
    torch.testing.assert_close(logits, theirs["logits"], rtol=0, atol=1e-4)
    # Every key is accounted for, on either side.
    words = [line.split() for line in printed]
    placed = {line[1]: line[3] for line in words if line[0] == "placed"}
    new = {line[1] for line in words if line[0] == "new"}
    assert placed.keys() == weights.keys()
    assert {*placed.values(), *new} == written["state_dict"].keys()
    assert "placed backbone.pos_embed -> backbone.positions.table" in printed
    assert "new backbone.blocks.0.cell.share" in printed
    assert all(".cell." in name or ".edge_embed." in name for name in new)


@pytest.mark.parametrize("prefix", ["", "backbone.", "module.backbone."])
@pytest.mark.parametrize("with_head", [True, False])
def test_prefix_and_head_do_not_matter(run, weights, prefix, with_head):
    given = {
        key.replace("backbone.", prefix): value
        for key, value in weights.items()
        if with_head or not key.startswith("head.")
    }
    written, _ = run(given)
    assert ("cls_head.fc_cls.weight" in written["state_dict"]) == with_head
    torch.testing.assert_close(
        written["state_dict"]["backbone.blocks.11.spatial_mix.decay"],
        weights["backbone.layers.11.att.spatial_decay"],
    )


def test_positions_of_another_size_are_resized(run, weights):
    written, printed = run({"state_dict": weights}, "--img-size", "112")
    assert written["state_dict"]["backbone.positions.table"].shape == (49, 192)
    assert (
        "resized backbone.pos_embed from 14x14 to 7x7 patches, bicubically" in printed
    )


def test_what_has_no_use_is_named(run, weights):
    _, printed = run(weights | {"neck.weight": torch.zeros(3)})
    assert "left neck.weight" in printed


def without(weights: dict, key: str) -> dict:
    return {name: value for name, value in weights.items() if name != key}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: without(w, "backbone.ln1.bias"), "lacks .*output_norm.bias"),
        (
            lambda w: w | {"backbone.layers.0.att.key_norm.weight": torch.ones(192)},
            r"layers.0.att.key_norm.weight, shape \(192,\), has no place",
        ),
        (
            lambda w: w | {"backbone.layers.3.ffn.key.weight": torch.ones(192, 192)},
            r"layers.3.ffn.key.weight has shape \(192, 192\).*\(768, 192\)",
        ),
        (
            lambda w: w | {"backbone.pos_embed": torch.ones(1, 195, 192)},
            "195 positions, which form no square",
        ),
        (
            lambda w: {k: v for k, v in w.items() if "layers.11." not in k},
            "width 192, 11 layers and no layer scale is none of vrwkv_tiny",
        ),
        (lambda w: {"conv1.weight": torch.ones(3)}, "no Vision-RWKV.*conv1.weight"),
        (lambda w: {"state_dict": w, "run": print}, "Refused to load"),
    ],
    ids=["missing", "unknown", "shape", "grid", "depth", "another model", "code"],
)
def test_what_does_not_fit_is_refused_by_name(run, weights, spoil, message):
    with pytest.raises(SystemExit, match=message):
        run(spoil(weights))
