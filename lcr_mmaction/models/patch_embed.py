"""From pixels to patch tokens, for frames and for edge maps.

Every embedding maps frames, and what it kept of the frame before them, to tokens
and what it keeps of the last frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .token_shift import previous_frames

Kept = tuple[Tensor, ...]


class PatchEmbed(nn.Module):
    """One convolution over non-overlapping patches (the paper's 1x16x16).

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def blank(self, batch_size: int, size: tuple[int, int]) -> Kept:
        """What was kept before the first frame, a tensor per layer: nothing here.

        Args:
            batch_size: N.
            size: ``(height, width)`` of the frames.
        """
        return ()

    def forward(self, frames: Tensor, before: Kept) -> tuple[Tensor, Kept]:
        """Embed frames.

        Args:
            frames: ``[N, T, in_channels, H, W]``.
            before: What :meth:`blank` or the last call gave.

        Returns:
            Tokens ``[N, T, H * W / patch_size^2, C]`` and what is kept of the last
            frame.
        """
        tokens = self.project(frames.flatten(0, 1)).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, frames.shape[:2]), ()


class ConvStem(nn.Module):
    """Convolutions of stride 2 down to the patch grid, within a frame.

    3x3 convolutions with batch norm and ReLU, channels doubling up to ``dim``; the
    last one has no ReLU.

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels, a power of two.

    Raises:
        ValueError: ``patch_size`` is no power of two.
    """

    looks_back = False

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        if patch_size < 2 or patch_size & (patch_size - 1):
            raise ValueError(
                "a convolutional stem needs a power of two as patch_size, got "
                f"{patch_size}"
            )
        depth = patch_size.bit_length() - 1
        widths = [max(16, dim >> (depth - 1 - i)) for i in range(depth - 1)] + [dim]
        inputs = [in_channels, *widths]
        self.convs = nn.ModuleList(
            nn.Conv2d(narrow * (1 + self.looks_back), wide, 3, 2, 1, bias=False)
            for narrow, wide in zip(inputs, widths, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)

    def blank(self, batch_size: int, size: tuple[int, int]) -> Kept:
        """Nothing, as for PatchEmbed."""
        return ()

    def forward(self, frames: Tensor, before: Kept) -> tuple[Tensor, Kept]:
        """Embed frames; shapes as in PatchEmbed."""
        num_frames = frames.shape[1]
        maps = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        after: Kept = ()
        for i, norm in enumerate(self.norms):
            maps, kept = self.convolve(i, maps, num_frames, before)
            after += kept
            maps = norm(maps)
            if i < len(self.norms) - 1:
                maps = maps.relu_()
        tokens = maps.flatten(2).transpose(1, 2)
        return tokens.unflatten(0, frames.shape[:2]), after

    def convolve(
        self, layer: int, maps: Tensor, num_frames: int, before: Kept
    ) -> tuple[Tensor, Kept]:
        """Convolve all frames.

        Args:
            layer: Which layer's weights.
            maps: ``[N * T, in, H, W]``.
            num_frames: T.
            before: What all layers kept of the frame before the first.

        Returns:
            ``[N * T, out, H / 2, W / 2]`` and what this layer keeps of the last frame.
        """
        return self.convs[layer](maps), ()


class CausalConvStem(ConvStem):
    """A convolutional stem that is causal in time: every layer sees the change too.

    The input of each convolution is a map beside its change since the last frame
    (a temporal kernel of two frames), so that motion finer than a patch reaches
    the tokens. The convolution being linear, ``W_x x_t + W_d (x_t - x_{t-1})`` is
    found as ``(W_x + W_d) x_t - W_d x_{t-1}``: both products of a frame at once,
    the second kept for the next frame.
    """

    looks_back = True

    def blank(self, batch_size: int, size: tuple[int, int]) -> Kept:
        """Second products of a blank frame: zeros."""
        height, width = size
        kept = []
        for conv in self.convs:
            height, width = (height + 1) // 2, (width + 1) // 2
            shape = (batch_size, conv.out_channels, height, width)
            kept.append(conv.weight.new_zeros(shape))
        return tuple(kept)

    def convolve(
        self, layer: int, maps: Tensor, num_frames: int, before: Kept
    ) -> tuple[Tensor, Kept]:
        """Convolve every frame and its change since the last; shapes as above."""
        now, change = self.convs[layer].weight.chunk(2, dim=1)
        weight = torch.cat([now + change, change])
        both = F.conv2d(maps, weight, stride=2, padding=1)
        now, last = both.unflatten(0, (-1, num_frames)).chunk(2, dim=2)
        maps = now - previous_frames(last, before[layer])
        return maps.flatten(0, 1), (last[:, -1],)


PATCH_EMBEDS: dict[str, type[nn.Module]] = {
    "patch": PatchEmbed,
    "conv_stem": ConvStem,
    "causal_stem": CausalConvStem,
}
