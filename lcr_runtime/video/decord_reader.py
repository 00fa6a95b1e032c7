"""A reader that decodes with decord."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import VideoError
from .index import CONTAINERS, HIDDEN_PACKETS
from .indexed import IndexedReader
from .limit import within
from .reader import TIMEOUT

if TYPE_CHECKING:
    import decord

BATCH = 16  # frames decoded in one call


class DecordReader(IndexedReader):
    """Reads with decord.

    See :class:`VideoReader`. For files that are known to be sound: some damaged ones
    end the whole process. Widths of 16, 24, 48 and 72 pixels are not read.

    Raises:
        VideoError: decord cannot decode the file.
        ImportError: decord is not installed.
    """

    decoder = "decord"

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        super().__init__(path, timeout)
        # decord turns pictures upright by itself, but does not know mirrors.
        if not self.orientation.is_turn:
            raise self._error("decord cannot mirror its pictures")
        container = self.container
        if (
            not container.has_order
            or container.format not in CONTAINERS
            or container.codec in HIDDEN_PACKETS
        ):
            raise self._error("decord mistakes the order of its frames")

    @cached_property
    def _reader(self) -> decord.VideoReader:
        try:
            import decord
        except ImportError as error:
            raise ImportError(
                "the decoder 'decord' needs decord: pip install decord, or use 'pyav'"
            ) from error
        reader = self._within(lambda: decord.VideoReader(self.path, num_threads=1))
        if len(reader) != len(self):
            raise self._error(f"it finds {len(reader)} of its {len(self)} frames")
        return reader

    def _walk(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        pictures = self._pictures(list(range(len(self))))
        for time, picture in zip(self.times.tolist(), pictures, strict=True):
            yield time, partial(np.asarray, picture)

    def _pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        for start in range(0, len(numbers), BATCH):
            yield from self._within(
                partial(self._batch, numbers[start : start + BATCH])
            )

    def _batch(self, numbers: list[int]) -> np.ndarray:
        return self._reader.get_batch(numbers).asnumpy()

    def _within(self, call: Callable[[], Any]) -> Any:
        try:
            return within(self.timeout, call)
        except (ImportError, VideoError):
            raise
        except Exception as error:  # decord's own error is no narrower
            text = str(error).strip().splitlines() or [type(error).__name__]
            raise self._error(text[0][:200]) from error
