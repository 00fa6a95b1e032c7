"""Mends for machines without an accelerator, and that a GPU sees none of them."""

from __future__ import annotations

import mmengine.dist.utils
import mmengine.runner.runner
import pytest
import torch
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS

from lcr_mmaction.upstream import amp, distributed
from lcr_mmaction.upstream.amp import CpuAmpOptimWrapper, mend_amp_on_cpu

on_cpu = pytest.mark.skipif(get_device() != "cpu", reason="for the CPU only")


def build(**options: object) -> OptimWrapper:
    layer = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    config = dict(
        type="AmpOptimWrapper", optimizer=optimizer, _scope_="mmaction", **options
    )
    wrapper = OPTIM_WRAPPERS.build(config)
    wrapper.layer = layer
    return wrapper


@on_cpu
def test_amp_on_the_cpu_computes_in_bfloat16_and_steps() -> None:
    wrapper = build(loss_scale="dynamic", clip_grad=dict(max_norm=1))
    before = wrapper.layer.weight.detach().clone()
    with wrapper.optim_context(wrapper.layer):
        output = wrapper.layer(torch.ones(2, 4))
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().square().mean())
    assert wrapper.layer.weight.dtype == torch.float32
    assert not torch.equal(wrapper.layer.weight, before)


@on_cpu
def test_amp_on_the_cpu_resumes_from_a_gpu_run() -> None:
    wrapper = build()
    state = wrapper.state_dict()
    state["loss_scaler"] = {
        "scale": 65536.0,
        "growth_factor": 2.0,
        "_growth_tracker": 0,
    }
    wrapper.load_state_dict(state)
    assert wrapper.get_lr() == {"lr": [0.1]}


@on_cpu
def test_amp_in_float16_is_refused_on_the_cpu() -> None:
    with pytest.raises(ValueError, match="float16.*bfloat16"):
        build(dtype="float16")


@on_cpu
def test_mmengine_keeps_its_own_amp_wrapper() -> None:
    assert MMENGINE_OPTIM_WRAPPERS.get("AmpOptimWrapper") is AmpOptimWrapper
    assert OPTIM_WRAPPERS.get("AmpOptimWrapper") is CpuAmpOptimWrapper


def test_nothing_changes_where_there_is_an_accelerator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def upstream(*args: object, **kwargs: object) -> None: ...

    monkeypatch.setattr(amp, "get_device", lambda: "cuda")
    monkeypatch.setattr(distributed, "get_device", lambda: "cuda")
    monkeypatch.setattr(OPTIM_WRAPPERS, "_module_dict", {})
    monkeypatch.setattr(mmengine.dist.utils, "_init_dist_pytorch", upstream)
    monkeypatch.setattr(MMDistributedDataParallel, "__init__", upstream)
    monkeypatch.setattr(mmengine.runner.runner, "convert_sync_batchnorm", upstream)

    mend_amp_on_cpu()
    distributed.mend_cpu_init_dist()
    distributed.mend_cpu_data_parallel()
    distributed.mend_cpu_sync_bn()

    assert OPTIM_WRAPPERS.module_dict == {}
    assert mmengine.dist.utils._init_dist_pytorch is upstream
    assert MMDistributedDataParallel.__init__ is upstream
    assert mmengine.runner.runner.convert_sync_batchnorm is upstream


@on_cpu
def test_cuda_set_device_is_spared_only_while_starting() -> None:
    original = torch.cuda.set_device
    with distributed._without_cuda_set_device():
        torch.cuda.set_device(0)
    assert torch.cuda.set_device is original
