"""``compile`` of a config."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from model_cases import ARCH, make_clips, small_backbone

from lcr_mmaction.hooks import CompileBackboneHook


class Recognizer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = small_backbone(arch=ARCH | dict(num_layers=1))


def called(compile: object) -> tuple[Recognizer, list[str]]:
    """A model as MMEngine's runner has it when training begins, and what compiles."""
    torch._dynamo.reset()
    compiled: list[str] = []

    def backend(graph, inputs):
        compiled.append("graph")
        return graph.forward

    model = Recognizer().eval()
    if compile:
        compile = dict(backend=backend)
        model.train_step = torch.compile(lambda: compiled.append("step"))
    runner = SimpleNamespace(
        cfg=Config(dict(compile=compile)),
        model=model,
        logger=MMLogger.get_instance("compile"),
    )
    CompileBackboneHook().before_train(runner)
    return model, compiled


@pytest.mark.parametrize("compile", [True, False])
def test_the_backbone_is_compiled_and_the_step_is_not(compile: bool) -> None:
    model, compiled = called(compile)
    assert "train_step" not in vars(model)
    names = list(model.state_dict())
    with torch.no_grad():
        features = model.backbone(make_clips(1, 2))
        expected = type(model.backbone).forward(model.backbone, make_clips(1, 2))
    assert bool(compiled) is compile
    assert names == list(model.state_dict())
    torch.testing.assert_close(features, expected)
