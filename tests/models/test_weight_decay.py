"""Which weights decay under the configs' optimizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from model_cases import VARIANTS, small_backbone
from torch import Tensor, nn

from lcr_mmaction.models.cells import CELLS, Cell

SCHEDULE = Path(__file__).parents[2] / "configs" / "_base_" / "schedules"
SPARED_BY_NAME = ("decay_speed", "bonus", "shift.weight")


def decays(model: nn.Module, **options) -> dict[str, float]:
    """Weight decay of every parameter, by its name."""
    config = Config.fromfile(SCHEDULE / "adamw_cosine.py").optim_wrapper
    config.update(options)
    groups = build_optim_wrapper(model, config).optimizer.param_groups
    by_parameter = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    return {name: by_parameter[id(p)] for name, p in model.named_parameters()}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_matrices_and_convolutions_decay_and_nothing_else(options):
    backbone = small_backbone(**options)
    for name, decay in decays(backbone).items():
        shape = backbone.get_parameter(name).shape
        spared = len(shape) < 2 or name.endswith(SPARED_BY_NAME)
        assert decay == (0.0 if spared else 0.05), name


class MatrixCell(Cell):
    """A cell with a matrix, a vector, a number and a matrix that it spares."""

    no_weight_decay = frozenset({"spared"})

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.mix = nn.Linear(dim, dim)
        self.number = nn.Parameter(torch.tensor(1.0))
        self.spared = nn.Parameter(torch.ones(dim, dim))

    def forward(self, gated: Tensor, edges: Tensor, state: Tensor):
        return gated, gated, state


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_new_cell_says_itself_what_decays(monkeypatch, wrapped):
    monkeypatch.setitem(CELLS, "matrix", MatrixCell)
    backbone = small_backbone(cell="matrix")
    found = decays(nn.ModuleDict({"inner": backbone}) if wrapped else backbone)
    cell = {
        name.split("cell.")[1]: decay
        for name, decay in found.items()
        if "blocks.0.cell." in name
    }
    assert cell == {"mix.weight": 0.05, "mix.bias": 0, "number": 0, "spared": 0}


def test_keys_of_a_config_come_before_the_rule():
    keys = {"bonus": dict(decay_mult=1.0), "key_value": dict(decay_mult=0.5)}
    found = decays(small_backbone(), paramwise_cfg=dict(custom_keys=keys))
    assert found["blocks.0.gate.mixer.bonus"] == 0.05
    assert found["blocks.0.gate.key_value.weight"] == 0.025


def test_a_group_of_the_optimizer_holds_all_of_one_setting():
    config = Config.fromfile(SCHEDULE / "adamw_cosine.py").optim_wrapper
    backbone = small_backbone()
    wrapper = build_optim_wrapper(backbone, config)
    groups = wrapper.optimizer.param_groups
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.05]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(map(id, backbone.parameters()))


def test_a_checkpoint_with_other_groups_is_refused():
    config = Config.fromfile(SCHEDULE / "adamw_cosine.py").optim_wrapper
    backbone = small_backbone()
    wrapper = build_optim_wrapper(backbone, config)
    wrapper.load_state_dict(wrapper.state_dict())
    single = [dict(params=[parameter]) for parameter in backbone.parameters()]
    with pytest.raises(ValueError, match="load_from instead of resume"):
        wrapper.load_state_dict(torch.optim.AdamW(single).state_dict())
