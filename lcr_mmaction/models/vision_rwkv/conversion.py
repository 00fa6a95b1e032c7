"""Vision-RWKV's published weights under the names of this backbone.

The published keys are those of the classes in github.com/OpenGVLab/Vision-RWKV, trained
with MMClassification: the backbone's below ``backbone.``, the classifier ``head.fc``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from .archs import VISION_RWKV_ARCHS
from .positions import LearnedPositions, resize_positions

if TYPE_CHECKING:
    from ..backbone import LCRBackbone

BACKBONE, HEAD = "backbone.", "cls_head.fc_cls."
_STEM = "patch_embed.projection.weight"
# Whole names, or what follows `layers.N.` there and `blocks.N.` here.
_NAMES = {
    "patch_embed.projection.weight": "frame_embed.project.weight",
    "patch_embed.projection.bias": "frame_embed.project.bias",
    "pos_embed": "positions.table",
    "layers.0.ln0.weight": "input_norm.weight",
    "layers.0.ln0.bias": "input_norm.bias",
    "ln1.weight": "output_norm.weight",
    "ln1.bias": "output_norm.bias",
}
_BLOCK_NAMES = {
    "ln1.weight": "spatial.norm.weight",
    "ln1.bias": "spatial.norm.bias",
    "ln2.weight": "channel.norm.weight",
    "ln2.bias": "channel.norm.bias",
    "gamma1": "spatial.scale",
    "gamma2": "channel.scale",
    "ffn.spatial_mix_k": "channel_mix.mix_key",
    "ffn.spatial_mix_r": "channel_mix.mix_receptance",
    "ffn.key.weight": "channel_mix.key.weight",
    "ffn.receptance.weight": "channel_mix.receptance.weight",
    "ffn.value.weight": "channel_mix.value.weight",
    "att.key.weight": "spatial_mix.key.weight",
    "att.value.weight": "spatial_mix.value.weight",
    "att.receptance.weight": "spatial_mix.receptance.weight",
    "att.output.weight": "spatial_mix.output.weight",
    # Version 4.
    "att.spatial_decay": "spatial_mix.decay",
    "att.spatial_first": "spatial_mix.bonus",
    "att.spatial_mix_k": "spatial_mix.mix_key",
    "att.spatial_mix_v": "spatial_mix.mix_value",
    "att.spatial_mix_r": "spatial_mix.mix_receptance",
    # Version 6.
    "att.gate.weight": "spatial_mix.gate.weight",
    "att.ln_x.weight": "spatial_mix.norm.weight",
    "att.ln_x.bias": "spatial_mix.norm.bias",
    "att.time_decay": "spatial_mix.decay",
    "att.time_decay_w1": "spatial_mix.decay_down",
    "att.time_decay_w2": "spatial_mix.decay_up",
    "att.time_faaaa": "spatial_mix.bonus",
    "att.time_maa_x": "spatial_mix.blend.mix",
    "att.time_maa_w": "spatial_mix.blend.mix_decay",
    "att.time_maa_k": "spatial_mix.blend.mix_key",
    "att.time_maa_v": "spatial_mix.blend.mix_value",
    "att.time_maa_r": "spatial_mix.blend.mix_receptance",
    "att.time_maa_g": "spatial_mix.blend.mix_gate",
    "att.time_maa_w1": "spatial_mix.blend.down",
    "att.time_maa_w2": "spatial_mix.blend.up",
}


class ConversionError(ValueError):
    """Weights that are not those of the image model."""


class Conversion(NamedTuple):
    """What became of a checkpoint.

    Attributes:
        state_dict: Weights of a recognizer: all of its backbone, and the image
            classifier as ``cls_head.fc_cls`` if there was one.
        placed: Name there, name here.
        resized: What happened to positions of another grid; empty if nothing.
        new: Names here that the image model has no counterpart of.
        left: Names there that have no place here.
    """

    state_dict: OrderedDict[str, Tensor]
    placed: dict[str, str]
    resized: str
    new: list[str]
    left: list[str]


def unwrap(checkpoint: Mapping) -> tuple[dict[str, Tensor], str]:
    """Find the weights in a checkpoint, and what stands before the backbone's.

    Args:
        checkpoint: A state dict, or a dict that holds one as ``state_dict`` or
            ``model``.

    Raises:
        ConversionError: There is no image model of patches in it.
    """
    for name in ("state_dict", "model"):
        if isinstance(checkpoint.get(name), Mapping):
            checkpoint = checkpoint[name]
    weights = {
        key: value for key, value in checkpoint.items() if isinstance(value, Tensor)
    }
    stems = [key for key in weights if key.endswith(_STEM)]
    if len(stems) != 1:
        raise ConversionError(
            f"no Vision-RWKV: expected one key that ends with {_STEM}, found "
            f"{stems or 'none'} among {len(weights)} keys such as {list(weights)[:3]}"
        )
    return weights, stems[0].removesuffix(_STEM)


def find_arch(checkpoint: Mapping) -> str:
    """Name the arch whose version, width, depth and norms the weights have.

    Raises:
        ConversionError: They are of none.
    """
    weights, prefix = unwrap(checkpoint)
    layers = f"{prefix}layers."
    numbers = [
        int(key[len(layers) :].split(".")[0])
        for key in weights
        if re.match(rf"{re.escape(layers)}\d+\.", key)
    ]
    version = 6 if f"{layers}0.att.time_decay" in weights else 4
    width, depth = weights[prefix + _STEM].shape[0], max(numbers, default=-1) + 1
    scaled = f"{layers}0.gamma1" in weights
    for name, arch in VISION_RWKV_ARCHS.items():
        shape = (arch.version, arch.embed_dims, arch.num_layers)
        if shape == (version, width, depth) and scaled == (
            arch.layer_scale is not None
        ):
            return name
    raise ConversionError(
        f"a Vision-RWKV of version {version}, width {width}, {depth} layers and "
        f"{'a' if scaled else 'no'} layer scale is none of "
        f"{', '.join(VISION_RWKV_ARCHS)}"
    )


def convert(checkpoint: Mapping, backbone: LCRBackbone) -> Conversion:
    """Give the weights of an image model to a backbone that starts as it.

    Args:
        checkpoint: As for :func:`unwrap`.
        backbone: Of the same arch; it is left as it is.

    Raises:
        ConversionError: A weight does not fit, is unknown or is missing.
    """
    weights, prefix = unwrap(checkpoint)
    own = backbone.state_dict()
    placed: dict[str, str] = {}
    left: list[str] = []
    state_dict: OrderedDict[str, Tensor] = OrderedDict()
    resized = ""
    for key, value in weights.items():
        inner = key.removeprefix(prefix)
        if not key.startswith(prefix) or inner.startswith("head."):
            if re.search(r"(^|\.)head\.fc\.(weight|bias)$", key):
                placed[key] = HEAD + key.rpartition(".")[2]
                state_dict[placed[key]] = value.clone()
            else:
                left.append(key)
            continue
        name = _name(inner)
        if name is None or name not in own:
            raise ConversionError(
                f"{key}, shape {tuple(value.shape)}, has no place in "
                f"{type(backbone).__name__}: it is of another model"
            )
        target = own[name]
        # Published vectors carry axes of one for batch and tokens.
        while value.dim() > target.dim() and value.shape[0] == 1:
            value = value[0]
        if name == "positions.table" and isinstance(
            backbone.positions, LearnedPositions
        ):
            value, resized = _fit_positions(key, value, backbone.positions.size)
        if value.shape != target.shape:
            raise ConversionError(
                f"{key} has shape {tuple(value.shape)}, but {name} of the backbone "
                f"has {tuple(target.shape)}"
            )
        placed[key] = BACKBONE + name
        state_dict[placed[key]] = value.to(target.dtype).clone()
    new = [BACKBONE + name for name in own if BACKBONE + name not in placed.values()]
    missing = [name for name in new if not is_new(name)]
    if missing:
        raise ConversionError(
            f"the checkpoint lacks what becomes {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        )
    for name in new:
        state_dict[name] = own[name.removeprefix(BACKBONE)].clone()
    # What the weights mean (models/meaning.py) stands beside them.
    state_dict._metadata = {  # type: ignore[attr-defined]
        (BACKBONE + module).rstrip("."): version
        for module, version in own._metadata.items()
    }
    return Conversion(state_dict, placed, resized, new, left)


def is_new(name: str) -> bool:
    """Whether a weight of the backbone has no counterpart in the image model."""
    return ".cell." in name or "edge_embed." in name


def _name(inner: str) -> str | None:
    if inner in _NAMES:
        return _NAMES[inner]
    block = re.fullmatch(r"layers\.(\d+)\.(.+)", inner)
    if block is None or block[2] not in _BLOCK_NAMES:
        return None
    return f"blocks.{block[1]}.{_BLOCK_NAMES[block[2]]}"


def _fit_positions(
    key: str, table: Tensor, size: tuple[int, int]
) -> tuple[Tensor, str]:
    """Resize positions that were learned on another square grid."""
    num_patches = table.shape[0]
    if num_patches == size[0] * size[1]:
        return table, ""
    side = round(num_patches**0.5)
    if side * side != num_patches:
        raise ConversionError(
            f"{key} has {num_patches} positions, which form no square grid"
        )
    resized = resize_positions(table.float(), (side, side), size)
    return resized, (
        f"{key} from {side}x{side} to {size[0]}x{size[1]} patches, bicubically"
    )
