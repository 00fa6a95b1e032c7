"""The image models of Vision-RWKV, by name."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from .block import VisionRWKVBlock
from .channel_mix import ShiftedChannelMix
from .residual import PostNorm, PreNorm, Residual
from .schedules import Layer
from .spatial_mix import DynamicDecayMix, NormalisedMix, SpatialMix

CHANNEL_RATIO = 4


class VisionRWKVArch(NamedTuple):
    """Shape of an image model.

    Attributes:
        version: 4 (normalised WKV) or 6 (matrix-valued WKV with dynamic decays).
        embed_dims: Channels C.
        num_heads: H of version 6; version 4 has none.
        layer_scale: Start of the layer scale of post-norm blocks; None for pre-norm
            blocks.
        num_layers: Number of blocks.
    """

    version: int
    embed_dims: int
    num_heads: int
    layer_scale: float | None
    num_layers: int = 12

    def block(self, index: int, drop_path: float) -> VisionRWKVBlock:
        """Build a block, its linear weights drawn from a normal of 0.02.

        Args:
            index: From 0, the lowest.
            drop_path: Rate of stochastic depth.
        """
        dim, layer = self.embed_dims, Layer(index, self.num_layers)
        mix: SpatialMix
        if self.version == 4:
            groups, mix = 1, NormalisedMix(dim, layer)
        else:
            groups = self.num_heads
            mix = DynamicDecayMix(dim, self.num_heads, layer)
        channel_mix = ShiftedChannelMix(dim, CHANNEL_RATIO, groups, layer)
        block = VisionRWKVBlock(
            self._residual(), mix, self._residual(), channel_mix, dim, drop_path
        )
        for module in block.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
        return block

    def _residual(self) -> Residual:
        if self.layer_scale is None:
            return PreNorm(self.embed_dims)
        return PostNorm(self.embed_dims, self.layer_scale)


VISION_RWKV_ARCHS = {
    "vrwkv_tiny": VisionRWKVArch(4, 192, 3, None),
    "vrwkv_small": VisionRWKVArch(4, 384, 6, 1.0),
    "vrwkv_base": VisionRWKVArch(4, 768, 12, 1e-5),
    "vrwkv6_tiny": VisionRWKVArch(6, 192, 3, None),
    "vrwkv6_small": VisionRWKVArch(6, 384, 6, 1e-5),
    "vrwkv6_base": VisionRWKVArch(6, 768, 12, 1e-5),
}


def find_vision_rwkv(arch: str | dict) -> VisionRWKVArch | None:
    """Find the image model that ``arch`` names or, with ``version``, describes.

    Returns:
        It, or None if ``arch`` is something else.

    Raises:
        ValueError: A described model cannot be built.
    """
    if isinstance(arch, str):
        return VISION_RWKV_ARCHS.get(arch)
    if "version" not in arch:
        return None
    try:
        found = VisionRWKVArch(**arch)
    except TypeError as error:
        raise ValueError(
            f"arch={arch} describes no Vision-RWKV: give {VisionRWKVArch._fields}"
        ) from error
    quarters = 4 * (found.num_heads if found.version == 6 else 1)
    if found.version not in (4, 6) or found.embed_dims % quarters:
        raise ValueError(
            f"arch={arch}: version must be 4 or 6, and embed_dims a multiple of "
            "4 (version 6: of 4 * num_heads)"
        )
    return found
