"""Reading sources to their end, as one batch of streams."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .result import StreamResult
from .sources import Frame, FrameSource, open_source

if TYPE_CHECKING:
    from .recognizer import StreamingRecognizer


def read_sources(
    recognizer: StreamingRecognizer,
    sources: Sequence[int | str | Path | FrameSource | Iterable[np.ndarray]],
) -> Iterator[list[StreamResult | None]]:
    """Feed sources to a recognizer; see ``StreamingRecognizer.run_many``."""
    if len(sources) != recognizer.num_streams:
        raise ValueError(
            f"{len(sources)} sources for {recognizer.num_streams} streams: set "
            "num_streams"
        )
    recognizer.reset()
    opened: list[FrameSource] = []
    try:
        for source in sources:
            opened.append(open_source(source, recognizer.fps, recognizer.channel_order))
        yield from _read_all(recognizer, opened)
    finally:
        for source in opened:
            source.close()


def _read_all(
    recognizer: StreamingRecognizer, sources: list[FrameSource]
) -> Iterator[list[StreamResult | None]]:
    orders = [source.channel_order for source in sources]
    while not all(source.ended for source in sources):
        frames = _newest(sources)
        if not any(frames):
            continue
        images = [None if frame is None else frame.image for frame in frames]
        times = [None if frame is None else frame.time for frame in frames]
        results = recognizer.update_batch(images, times, orders)
        yield [
            None if result is None else replace(result, dropped=source.dropped)
            for result, source in zip(results, sources, strict=True)
        ]


def _newest(sources: Sequence[FrameSource]) -> list[Frame | None]:
    """A frame of each source that has one; waits a moment if none has."""
    if len(sources) == 1:
        return [sources[0].read()]
    frames = [None if x.ended else x.read(wait=False) for x in sources]
    if not any(frames) and not all(source.ended for source in sources):
        time.sleep(0.002)
    return frames
