"""From pixels to patch tokens, for frames and for edge maps."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.fused import for_products, normed_difference
from .elapsed import one_interval_ago
from .state import Tree


class PatchEmbed(nn.Module, ABC):
    """What a patch embedding promises.

    - Causal: frame t depends on frames up to t and on what was kept of the frame
      before the first. A clip gives what its frames give one by one.
    - Pure: no argument is changed in place. Batch norm's statistics in training are
      the exception.
    - Times of 1 between all frames change nothing.
    - What it keeps of the last frame is a tensor ``[N, ...]``, or tuples and dicts of
      such; all zeros before the first frame.

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()

    def init_state(self, batch_size: int, size: tuple[int, int]) -> Tree:
        """What is kept before the first frame: nothing by default.

        Args:
            batch_size: N.
            size: ``(height, width)`` of the frames.
        """
        return ()

    @abstractmethod
    def forward(
        self, frames: Tensor, before: Tree, elapsed: Tensor | None = None
    ) -> tuple[Tensor, Tree]:
        """Embed frames.

        Args:
            frames: ``[N, T, in_channels, H, W]``.
            before: What was kept of the frame before the first.
            elapsed: Time since the last frame in intervals of training, ``[N, T]``;
                None where all are 1.

        Returns:
            Tokens in raster order, ``[N, T, H * W / patch_size^2, C]``, and what is
            kept of the last frame.
        """


class PatchConv(PatchEmbed):
    """One convolution over non-overlapping patches (the paper's 1x16x16)."""

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__(in_channels, dim, patch_size)
        self.project = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def forward(
        self, frames: Tensor, before: Tree, elapsed: Tensor | None = None
    ) -> tuple[Tensor, Tree]:
        """Embed frames; nothing is kept."""
        maps = self.project(frames.flatten(0, 1))
        # All blocks read them: in the layout of the products.
        tokens = maps.flatten(2).transpose(1, 2).contiguous()
        return tokens.unflatten(0, frames.shape[:2]), before


class CausalConvStem(PatchEmbed):
    """Convolutions of stride 2 down to the patch grid, causal in time.

    3x3 convolutions with batch norm and ReLU, channels doubling up to ``dim``; the
    last one has no ReLU. The input of each is a map beside its change since the last
    frame (a temporal kernel of two frames), so that motion finer than a patch reaches
    the tokens. The convolution being linear, ``W_x x_t + W_d (x_t - x_{t-1})`` is
    found as ``(W_x + W_d) x_t - W_d x_{t-1}``: both products of a frame at once,
    the second kept for the next frame. At other rates the change is that since
    :func:`.one_interval_ago`.

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels, a power of two.

    Raises:
        ValueError: ``patch_size`` is no power of two.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__(in_channels, dim, patch_size)
        if patch_size < 2 or patch_size & (patch_size - 1):
            raise ValueError(
                "a convolutional stem needs a power of two as patch_size, got "
                f"{patch_size}"
            )
        depth = patch_size.bit_length() - 1
        self.widths = [max(16, dim >> (depth - 1 - i)) for i in range(depth - 1)]
        self.widths.append(dim)
        inputs = [in_channels, *self.widths]
        self.convs = nn.ModuleList(
            nn.Conv2d(2 * narrow, wide, 3, 2, 1, bias=False)
            for narrow, wide in zip(inputs, self.widths, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in self.widths)

    def init_state(self, batch_size: int, size: tuple[int, int]) -> Tree:
        """Second products of a blank frame: zeros, a map a layer."""
        height, width = size
        kept = []
        for channels in self.widths:
            height, width = (height + 1) // 2, (width + 1) // 2
            shape = (batch_size, channels, height, width)
            kept.append(next(self.parameters()).new_zeros(shape))
        return tuple(kept)

    def forward(
        self, frames: Tensor, before: Tree, elapsed: Tensor | None = None
    ) -> tuple[Tensor, Tree]:
        """Embed frames; kept is the second product of every layer."""
        maps = for_products(frames).flatten(0, 1)
        maps = maps.contiguous(memory_format=torch.channels_last)
        kept = []
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            (weight,) = conv.parameters()
            now, change = weight.chunk(2, dim=1)
            weights = torch.cat([now + change, change])
            both = F.conv2d(maps, weights, stride=2, padding=1)
            rectified = i < len(self.convs) - 1
            first, second = both.unflatten(0, frames.shape[:2]).split(len(now), dim=2)
            if elapsed is None:
                maps = normed_difference(both, before[i], norm, rectified)
                kept.append(second[:, -1])
                continue
            past, last = one_interval_ago(second, before[i], elapsed)
            maps = norm((first - past).flatten(0, 1))
            maps = maps.relu_() if rectified else maps
            kept.append(last)
        tokens = maps.flatten(2).transpose(1, 2)
        return tokens.unflatten(0, frames.shape[:2]), tuple(kept)


PATCH_EMBEDS: dict[str, type[PatchEmbed]] = {
    "patch": PatchConv,
    "causal_stem": CausalConvStem,
}
