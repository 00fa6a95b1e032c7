"""Every registered part keeps its contract, and those of CONTRIBUTING.md do."""

from __future__ import annotations

import re
from pathlib import Path

import contracts
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from model_cases import ARCH, make_clips

from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models.cells import CELLS, Cell
from lcr_mmaction.models.mixers import MIXERS
from lcr_mmaction.models.patch_embed import PATCH_EMBEDS
from lcr_mmaction.models.token_shift import TOKEN_SHIFTS
from lcr_mmaction.transforms import EDGE_METHODS

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
KINDS = {
    "cell": (CELLS, contracts.check_cell),
    "mixer": (MIXERS, contracts.check_mixer),
    "token_shift": (TOKEN_SHIFTS, contracts.check_token_shift),
    "patch_embed": (PATCH_EMBEDS, contracts.check_patch_embed),
    "edge_method": (EDGE_METHODS, contracts.check_edge_method),
}
PARTS = [(kind, name) for kind, (registry, _) in KINDS.items() for name in registry]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_part_keeps_its_contract(kind, name):
    registry, check = KINDS[kind]
    check(registry[name])


def test_a_part_that_breaks_its_contract_is_caught():
    class Peeking(CELLS["leaky"]):
        def forward(self, gated, edges, state, elapsed=None):
            return super().forward(gated.flip(1), edges, state, elapsed)

    class Hoarding(CELLS["leaky"]):
        def forward(self, gated, edges, state, elapsed=None):
            hidden, memory, after = super().forward(gated, edges, state, elapsed)
            state.copy_(after.detach())
            return hidden, memory, after

    for kind in (Peeking, Hoarding):
        with pytest.raises(AssertionError):
            contracts.check_cell(kind)
    with pytest.raises(TypeError, match="abstract"):
        Cell(8)


@pytest.mark.parametrize("kind", KINDS)
def test_contributing_adds_one_in_one_file(kind, tmp_path, monkeypatch):
    heading = f"### {kind.replace('_', ' ').capitalize()}\n"
    section = CONTRIBUTING.read_text().split(heading)[1].split("\n#")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    registry, check = KINDS[kind]
    before = set(registry)
    (tmp_path / f"my_{kind}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    Config.fromstring(f"custom_imports = dict(imports=['my_{kind}'])", ".py")
    (name,) = set(registry) - before
    try:
        check(registry[name])
        if kind == "edge_method":
            transform = TRANSFORMS.build(dict(type="EdgeExtract", method=name))
            frame = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
            assert transform(dict(imgs=[frame]))["imgs"][0][..., 3].any()
            return
        backbone = LCRBackbone(arch=ARCH, img_size=32, patch_size=8, **{kind: name})
        backbone.eval()
        clips = make_clips()
        state, steps = backbone.init_state(2), []
        with torch.no_grad():
            whole = backbone(clips)
            for frame in clips.unbind(2):
                feature, state = backbone.step(frame, state)
                steps.append(feature)
        torch.testing.assert_close(torch.stack(steps, 1), whole, atol=1e-5, rtol=1e-5)
        with pytest.raises(RuntimeError, match=f"{kind}: "):
            LCRBackbone(arch=ARCH, patch_size=8).load_state_dict(
                backbone.state_dict(), strict=False
            )
    finally:
        del registry[name]
