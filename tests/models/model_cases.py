"""Small backbones and clips that the model's tests share."""

from __future__ import annotations

import torch
from torch import Tensor

from lcr_mmaction.models import LCRBackbone

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, mlp_ratio=2)
PATCH = 8

# Every value of every option appears, the paper's reading as a whole among them.
VARIANTS = {
    "default": {},
    "paper": dict(
        block="paper",
        cell="paper",
        kv_source="edge",
        token_shift="q_shift",
        patch_embed="patch",
        readout="cls",
        positions="rope",
        zero_init_edge=True,
    ),
    "feedback": dict(block="feedback", readout="cls"),
    "plain": dict(block="plain", token_shift="none"),
    "dynamic_decay": dict(mixer="rwkv_dynamic", patch_embed="patch"),
    "attention": dict(mixer="attention", positions="none"),
    "bounded_cell": dict(cell="bounded"),
    "no_recurrence": dict(cell="none"),
}


def small_backbone(seed: int = 0, **options) -> LCRBackbone:
    """Build a small backbone whose zero-initialised parts are stirred."""
    torch.manual_seed(seed)
    options = dict(arch=ARCH, img_size=32, patch_size=PATCH) | options
    backbone = LCRBackbone(**options)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return backbone.eval()


def make_clips(n: int = 2, t: int = 4, height: int = 32, width: int = 32) -> Tensor:
    """Random normalised clips with an edge channel between 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(n, 4, t, height, width, generator=generator)
    clips[:, 3] = (clips[:, 3] > 1).float()
    return clips


def hide(clips: Tensor, masked: Tensor) -> Tensor:
    """Mark patches as TubeMask does; ``masked`` is bool ``[N, H/p, W/p]``."""
    pixels = masked.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
    return clips.masked_fill(pixels[:, None, None], float("-inf"))
