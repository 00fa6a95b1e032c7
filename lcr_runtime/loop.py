"""Reading sources side by side, to the end of all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from .sources import Frame, FrameSource, Source, open_source


def open_sources(
    sources: Sequence[Source], fps: float | None, channel_order: str
) -> list[FrameSource]:
    """Open all; close those that are open if one does not open.

    Args:
        sources: See :func:`.sources.open_source`, here and for the rest.
        fps: Frames per second wanted of cameras and videos.
        channel_order: Of arrays.
    """
    opened: list[FrameSource] = []
    try:
        for source in sources:
            opened.append(open_source(source, fps, channel_order))
    except BaseException:
        for source in opened:
            source.close()
        raise
    return opened


def read_together(sources: Sequence[FrameSource]) -> Iterator[list[Frame | None]]:
    """Yield a frame of each source that has a new one, None for the others.

    Files advance together; of live sources each batch holds what is newest.
    """
    while not all(source.ended for source in sources):
        frames = _newest(sources)
        if any(frames):
            yield frames


def _newest(sources: Sequence[FrameSource]) -> list[Frame | None]:
    """A frame of each source that has one; waits a moment if none has."""
    if len(sources) == 1:
        return [sources[0].read()]
    frames = [None if x.ended else x.read(wait=False) for x in sources]
    if not any(frames) and not all(source.ended for source in sources):
        time.sleep(0.002)
    return frames
