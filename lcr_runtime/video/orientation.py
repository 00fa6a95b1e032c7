"""Turning a stored picture upright, as the file's display matrix says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE = 1 << 16  # the display matrix has 16 binary places


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture down: transpose first, then mirror.

    Attributes:
        transposed: Rows become columns.
        mirrored: Left and right trade places.
        flipped: Top and bottom trade places.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Read a display matrix.

        Args:
            matrix: Nine native int32 ``a b u c d v x y w``; a stored pixel (p, q) is
                shown at (a p + c q + x, b p + d q + y), ISO/IEC 14496-12, 8.3.2.

        Raises:
            ValueError: It does more than turning by a multiple of 90 degrees and
                mirroring.
        """
        a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32, 9) / ONE
        straight, crossed = max(abs(a), abs(d)), max(abs(b), abs(c))
        if min(straight, crossed) > 0.01 * max(straight, crossed):
            raise ValueError(
                f"its display matrix ({a:.3g} {b:.3g} {c:.3g} {d:.3g}) is no turn by a "
                "multiple of 90 degrees"
            )
        if crossed > straight:
            return cls(True, mirrored=bool(c < 0), flipped=bool(b < 0))
        return cls(False, mirrored=bool(a < 0), flipped=bool(d < 0))

    @property
    def is_turn(self) -> bool:
        """Whether it is a turn, which shows no writing in the mirror."""
        return not (self.transposed ^ self.mirrored ^ self.flipped)

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn a picture ``H x W x C``; the result is contiguous."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        if self.mirrored:
            image = image[:, ::-1]
        if self.flipped:
            image = image[::-1]
        return np.ascontiguousarray(image)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the upright picture."""
        return (width, height) if self.transposed else (height, width)
