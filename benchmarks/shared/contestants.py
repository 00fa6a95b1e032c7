"""LCR and MMAction2's own models, with random weights, for the same clips.

The models are those of the configs that MMAction2 carries; only what depends on the
length and size of the clips and on the number of classes is set, and nothing is
downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.analysis import FlopAnalyzer
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from lcr_mmaction.models import LCRBackbone

from .measuring import precision, random_clips

LCR_CONFIG = Path(__file__).resolve().parents[2] / "configs/_base_/models/lcr_tiny.py"
NUM_CLASSES = 27
Changes = Callable[[int, int], dict]  # of frames and pixels


def _unchanged(frames: int, size: int) -> dict:
    return {}


def _segments(frames: int, size: int) -> dict:
    return dict(backbone=dict(num_segments=frames), cls_head=dict(num_segments=frames))


def _pictures(frames: int, size: int) -> dict:
    return dict(backbone=dict(num_frames=frames, img_size=size))


def _vit_small(frames: int, size: int) -> dict:
    small = dict(num_frames=frames, img_size=size, embed_dims=384, num_heads=6)
    return dict(backbone=small, cls_head=dict(in_channels=384))


def _mvit(frames: int, size: int) -> dict:
    return dict(backbone=dict(temporal_size=frames, spatial_size=size))


STOCK: dict[str, tuple[str, Changes]] = {
    "TSN-R50": ("_base_/models/tsn_r50.py", _unchanged),
    "TSM-R50": ("_base_/models/tsm_r50.py", _segments),
    "TSM-MobileNetV2": ("_base_/models/tsm_mobilenet_v2.py", _segments),
    "SlowOnly-R50": ("_base_/models/slowonly_r50.py", _unchanged),
    "I3D-R50": ("_base_/models/i3d_r50.py", _unchanged),
    "TimeSformer divST": (
        "recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py",
        _pictures,
    ),
    "VideoMAE ViT-S": (
        "recognition/videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400.py",
        _vit_small,
    ),
    "X3D-M": ("_base_/models/x3d.py", _unchanged),
    "UniFormer-S": (
        "recognition/uniformer/"
        "uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb.py",
        _unchanged,
    ),
    "MViT-S": ("_base_/models/mvit_small.py", _mvit),
}
LCR = {f"LCR {arch}": arch for arch in ("tiny", "small", "base")}
NAMES = (*LCR, *STOCK)


def build(name: str, frames: int, size: int) -> nn.Module:
    """Build one of :data:`NAMES` with random weights.

    Args:
        name: Of the model.
        frames: Frames of a clip.
        size: Pixels of a frame's side.
    """
    init_default_scope("mmaction")
    if name in LCR:
        return build_lcr(size, arch=LCR[name])
    path, changes = STOCK[name]
    config = get_config(f"mmaction::{path}")
    no_weights = {
        key: value
        for key, value in (("pretrained", None), ("pretrained2d", False))
        if key in config.model.backbone
    }
    config.merge_from_dict(
        {
            "model.backbone": no_weights,
            "model.cls_head": dict(num_classes=NUM_CLASSES),
        }
    )
    config.merge_from_dict(dict(model=changes(frames, size)))
    return MODELS.build(config.model)


def build_lcr(size: int, **backbone) -> nn.Module:
    """Build LCR at the paper's budget, with other options of the backbone."""
    init_default_scope("mmaction")
    config = Config.fromfile(LCR_CONFIG)
    arch = backbone.get("arch", config.model.backbone.arch)
    channels = 2 * LCRBackbone.arch_zoo[arch]["embed_dims"]
    config.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(img_size=size, **backbone),
                cls_head=dict(in_channels=channels),
            )
        )
    )
    return MODELS.build(config.model)


def make_inputs(model: nn.Module, batch: int, frames: int, size: int) -> Tensor:
    """Clips in the layout of the model's config, with as many channels."""
    preprocessor = model.data_preprocessor
    clips = random_clips(batch, preprocessor.mean.numel(), frames, size)
    if preprocessor.format_shape == "NCHW":
        return clips.transpose(1, 2).contiguous()  # frames are segments
    return clips.unsqueeze(1)


def flops(model: nn.Module, inputs: Tensor) -> int:
    """FLOPs of a clip as MMAction2's ``get_flops.py`` counts them.

    One is a multiply-add; the head is left out.
    """
    forward = model.forward
    model.forward = model.extract_feat
    try:
        with torch.no_grad():
            counter = FlopAnalyzer(model.eval(), inputs[:1])
            counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return int(counter.total())
    finally:
        model.forward = forward


def forward(model: nn.Module, inputs: Tensor, dtype: str = "fp32") -> Tensor:
    """Logits of clips, the head included, without gradients, in a precision."""
    with torch.no_grad(), precision(inputs.device.type, dtype):
        return model.eval()(inputs, stage="head")


class TrainingStep:
    """Forward, cross-entropy, backward and a step of AdamW, called again and again.

    The heads' own ``loss`` is not used: its accuracy goes through NumPy, which has no
    bfloat16. AdamW's averages exist from the start, as in every step but the first.

    Args:
        model: A recognizer.
        inputs: Clips.
    """

    def __init__(self, model: nn.Module, inputs: Tensor) -> None:
        self.model = model
        self.inputs = inputs
        self.labels = inputs.new_zeros(inputs.shape[0], dtype=torch.long)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def __call__(self, dtype: str = "fp32") -> None:
        """Make one step, with the forward pass in a precision."""
        self.model.train()
        with precision(self.inputs.device.type, dtype):
            logits = self.model(self.inputs, stage="head")
        F.cross_entropy(logits.float(), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
