"""Where the kept patch tokens of a frame lie on the patch grid."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class TokenGrid(NamedTuple):
    """The patch grid of a clip and the patches that were kept.

    Attributes:
        height: Rows of the patch grid.
        width: Columns of the patch grid.
        keep: Raster indices of the kept patches, int64 ``[N, L]`` ascending,
            or None where all ``height * width`` patches are kept. One set per
            clip, the same for all its frames (a tube).
    """

    height: int
    width: int
    keep: Tensor | None = None

    def select(self, tokens: Tensor) -> Tensor:
        """Drop the masked patches.

        Args:
            tokens: All patches, ``[N, T, height * width, C]``.

        Returns:
            The kept ones, ``[N, T, L, C]``.
        """
        if self.keep is None:
            return tokens
        n, t, _, c = tokens.shape
        index = self.keep[:, None, :, None].expand(n, t, -1, c)
        return tokens.gather(2, index)

    def fill(self, tokens: Tensor) -> Tensor:
        """Undo :meth:`select`, with zeros where a patch was dropped.

        Args:
            tokens: Kept patches, ``[N, T, L, C]``.

        Returns:
            All of them, ``[N, T, height * width, C]``.
        """
        if self.keep is None:
            return tokens
        n, t, _, c = tokens.shape
        index = self.keep[:, None, :, None].expand(n, t, -1, c)
        full = tokens.new_zeros(n, t, self.height * self.width, c)
        return full.scatter(2, index, tokens)

    def to_map(self, tokens: Tensor) -> Tensor:
        """Lay tokens out as images, zeros where a patch was dropped.

        Args:
            tokens: Kept patches, ``[N, T, L, C]``.

        Returns:
            ``[N * T, C, height, width]`` in channels-last memory.
        """
        n, t, _, c = tokens.shape
        images = self.fill(tokens).reshape(n * t, self.height, self.width, c)
        return images.permute(0, 3, 1, 2)

    def to_tokens(self, images: Tensor, num_frames: int) -> Tensor:
        """Undo :meth:`to_map`.

        Args:
            images: ``[N * T, C, height, width]``.
            num_frames: T.

        Returns:
            Kept patches, ``[N, T, L, C]``.
        """
        c = images.shape[1]
        tokens = images.permute(0, 2, 3, 1)
        tokens = tokens.reshape(-1, num_frames, self.height * self.width, c)
        return self.select(tokens)


def find_tube_mask(clip: Tensor, patch_size: int) -> Tensor | None:
    """Find the patches that ``TubeMask`` marked, and list the others.

    ``TubeMask`` writes ``-inf`` into every pixel of a masked patch; the mark
    outlives any normalisation. Where clips of a batch keep different numbers of
    patches (blended clips do), every clip keeps as many as the poorest one, the
    first in raster order, so that tokens stay a dense tensor.

    Args:
        clip: ``[N, C, T, H, W]``, H and W multiples of ``patch_size``.
        patch_size: Side of a patch in pixels.

    Returns:
        Raster indices of the kept patches, int64 ``[N, L]`` ascending, or None
        where nothing is masked.

    Raises:
        ValueError: A clip has no visible patch.
    """
    # One pixel a patch is enough: TubeMask marks whole patches.
    masked = torch.isneginf(clip[:, 0, 0, ::patch_size, ::patch_size]).flatten(1)
    if not masked.any():
        return None
    num_keep = int((~masked).sum(dim=1).min())
    if num_keep == 0:
        raise ValueError(
            "every patch of a clip is masked: lower mask_ratio of TubeMask"
        )
    # A stable sort puts visible patches (0) before masked ones (1), in order.
    order = masked.to(torch.uint8).argsort(dim=1, stable=True)
    return order[:, :num_keep].sort(dim=1).values
