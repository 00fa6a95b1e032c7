"""From pixels to patch tokens, for frames and for edge maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """One convolution over non-overlapping patches (the paper's 1x16x16).

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels.
    """

    looks_back = False

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        """Embed frames.

        Args:
            frames: ``[N, T, in_channels, H, W]``.
            before: The frame before the first, ``[N, in_channels, H, W]``; not
                used.

        Returns:
            ``[N, T, L, C]``.
        """
        tokens = self.project(frames.flatten(0, 1)).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, frames.shape[:2])


class ConvStem(nn.Module):
    """Strided convolutions down to the patch grid, within a frame.

    A 4x4 convolution of stride 4, then 3x3 convolutions of stride 2, channels
    doubling up to ``dim``.

    Args:
        in_channels: Channels of the image.
        dim: Channels C of a token.
        patch_size: Side of a patch in pixels: 8, 16 or 32.

    Raises:
        ValueError: ``patch_size`` is none of these.
    """

    looks_back = False
    frames_seen = 1

    def __init__(self, in_channels: int, dim: int, patch_size: int) -> None:
        super().__init__()
        if patch_size not in (8, 16, 32):
            raise ValueError(
                f'a convolutional stem needs patch_size 8, 16 or 32, got {patch_size}'
            )
        halvings = patch_size.bit_length() - 3
        widths = [dim >> i for i in range(halvings, -1, -1)]
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels * self.frames_seen, widths[0], 4, 4)
        ]
        for narrow, wide in zip(widths, widths[1:], strict=False):
            layers += [
                nn.BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
                nn.Conv2d(narrow, wide, 3, 2, 1),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        """Embed frames; shapes as in PatchEmbed."""
        images = self._stack(frames, before).flatten(0, 1)
        images = images.contiguous(memory_format=torch.channels_last)
        tokens = self.layers(images).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, frames.shape[:2])

    def _stack(self, frames: Tensor, before: Tensor) -> Tensor:
        return frames


class CausalConvStem(ConvStem):
    """A convolutional stem whose first layer sees this frame and the last one.

    The second input is the change since the last frame, so that motion finer than
    a patch reaches the tokens.
    """

    looks_back = True
    frames_seen = 2

    def _stack(self, frames: Tensor, before: Tensor) -> Tensor:
        last = torch.cat([before.unsqueeze(1), frames[:, :-1]], dim=1)
        return torch.cat([frames, frames - last], dim=2)


PATCH_EMBEDS: dict[str, type[nn.Module]] = {
    'patch': PatchEmbed,
    'conv_stem': ConvStem,
    'causal_stem': CausalConvStem,
}
