"""A small LCR with lively random weights, and small configs."""

from __future__ import annotations

import pytest
import torch

import lcr_mmaction  # noqa: F401  (registers everything)
from lcr_mmaction.backbones.lcr import LCRBackbone

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2.0)


def lively(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every parameter and statistic a random part, so that none is idle."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * 0.2)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
    return module.eval()


@pytest.fixture
def make_backbone():
    def make(**options) -> LCRBackbone:
        torch.manual_seed(0)
        options = dict(arch=ARCH, img_size=32, patch_size=8) | options
        return lively(LCRBackbone(**options))

    return make


@pytest.fixture
def clip() -> torch.Tensor:
    """Two clips ``[N, C, T, H, W]`` of 6 frames."""
    return torch.randn(2, 4, 6, 32, 32, generator=torch.Generator().manual_seed(1))
