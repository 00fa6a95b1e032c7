"""From pixels to patch tokens, for frames and for edge maps.

Every embedding maps frames, and what it kept of the frame before them, to tokens
and what it keeps of the last frame: the inputs of its layers, the frame first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .token_shift import previous_frames

LayerInputs = tuple[Tensor, ...]


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

    def blank_maps(self, frame: Tensor) -> LayerInputs:
        """Inputs of the deeper layers before the first frame.

        Args:
            frame: Gives batch size, size, device and dtype:
                ``[N, in_channels, H, W]``.

        Returns:
            Zeros, a tensor per layer; nothing here.
        """
        return ()

    def forward(
        self, frames: Tensor, before: LayerInputs
    ) -> tuple[Tensor, LayerInputs]:
        """Embed frames.

        Args:
            frames: ``[N, T, in_channels, H, W]``.
            before: The frame before the first, ``[N, in_channels, H, W]``, and
                what :meth:`blank_maps` or the last call gave.

        Returns:
            Tokens ``[N, T, H * W / patch_size^2, C]`` and the inputs of the deeper
            layers at the last frame.
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

    def blank_maps(self, frame: Tensor) -> LayerInputs:
        """Nothing, as for PatchEmbed."""
        return ()

    def forward(
        self, frames: Tensor, before: LayerInputs
    ) -> tuple[Tensor, LayerInputs]:
        """Embed frames; shapes as in PatchEmbed."""
        maps = frames
        after = []
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if self.looks_back:
                after.append(maps[:, -1])
                change = maps - previous_frames(maps, before[i])
                maps = torch.cat([maps, change], dim=2)
            images = maps.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            images = norm(conv(images))
            if i < len(self.convs) - 1:
                images = images.relu_()
            maps = images.unflatten(0, frames.shape[:2])
        return maps.flatten(3).transpose(2, 3), tuple(after[1:])


class CausalConvStem(ConvStem):
    """A convolutional stem that is causal in time: every layer sees the change too.

    The input of each convolution is a map beside its change since the last frame
    (a temporal kernel of two frames), so that motion finer than a patch reaches
    the tokens.
    """

    looks_back = True

    def blank_maps(self, frame: Tensor) -> LayerInputs:
        """Blank inputs of the second and later layers."""
        n, _, height, width = frame.shape
        maps = []
        for norm in list(self.norms)[:-1]:
            height, width = (height + 1) // 2, (width + 1) // 2
            maps.append(frame.new_zeros(n, norm.num_features, height, width))
        return tuple(maps)


PATCH_EMBEDS: dict[str, type[nn.Module]] = {
    "patch": PatchEmbed,
    "conv_stem": ConvStem,
    "causal_stem": CausalConvStem,
}
