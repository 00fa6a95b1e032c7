"""Which frames a file has, and when each is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Codecs with packets that show nothing: their frames are counted by decoding.
HIDDEN_PACKETS = {"vp8"}
# Containers in which every packet is a frame with a stamp; in others, MPEG-TS for one,
# stamps may jump and frames be cut at the start.
CONTAINERS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"}


class MisleadingFileError(ValueError):
    """The file is not what it says: frames are missing, or times go back."""


@dataclass(frozen=True)
class FrameIndex:
    """All frames of a file, in the order in which they are shown.

    This is the one place that knows a frame's number and time: the stamps of the
    container, not a nominal frame rate.

    Attributes:
        stamps: When each is shown, in units of ``time_base``, int64 ``[N]``, never
            falling.
        time_base: Seconds of a unit.
        keys: Numbers of frames, rising, at which decoding can start; None where a
            frame can only be found by counting from the start.
    """

    stamps: np.ndarray
    time_base: Fraction
    keys: np.ndarray | None = None

    @cached_property
    def times(self) -> np.ndarray:
        """Seconds since the first frame, float64 ``[N]``."""
        return (self.stamps - self.stamps[:1]) * float(self.time_base)

    @property
    def rate(self) -> float | None:
        """Frames per second on the average; None of a single frame."""
        if len(self.stamps) < 2:
            return None
        # Exact: those who sample by rates round them down.
        span = int(self.stamps[-1] - self.stamps[0]) * self.time_base
        return float((len(self.stamps) - 1) / span)

    def key_before(self, number: int) -> int:
        """The last frame at which decoding of frame ``number`` can start."""
        if self.keys is None:
            return 0
        place = int(np.searchsorted(self.keys, number, "right")) - 1
        return int(self.keys[max(place, 0)])

    def number_of(self, stamp: int | None) -> int | None:
        """The frame that has this stamp."""
        if stamp is None:
            return None
        number = int(np.searchsorted(self.stamps, stamp))
        found = number < len(self.stamps) and self.stamps[number] == stamp
        return number if found else None


def has_order(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the container tells the order in which frames are shown.

    AVI stores the order of decoding only, which is another with B-frames.
    """
    return container.format.name != "avi" or not stream.codec_context.has_b_frames


def index_of_packets(
    container: InputContainer, stream: VideoStream
) -> FrameIndex | None:
    """Find all frames without decoding any.

    Returns:
        None where packets do not tell for sure which frames they make.

    Raises:
        MisleadingFileError: There are fewer packets than the container promises.
    """
    packets = [packet for packet in container.demux(stream) if packet.size]
    shown = [packet for packet in packets if not packet.is_discard]
    _check_promise(container, stream, packets)
    stamps = [packet.pts for packet in shown if packet.pts is not None]
    reordered = stream.codec_context.has_b_frames
    if (
        not shown
        or container.format.name not in CONTAINERS
        or stream.codec_context.codec.canonical_name in HIDDEN_PACKETS
        or not packets[0].is_keyframe
        or len(set(stamps)) < len(shown)
        or (not reordered and stamps != sorted(stamps))
        or stream.time_base is None
    ):
        return None
    ordered = np.array(sorted(stamps), np.int64)
    keys = None
    if container.format.name != "avi":  # whose own index may lead elsewhere
        starts = sorted(x.pts for x in shown if x.is_keyframe and x.pts is not None)
        keys = np.searchsorted(ordered, np.array(starts, np.int64))
    return FrameIndex(ordered, stream.time_base, keys)


def index_of_frames(stamps: Sequence[int | None], stream: VideoStream) -> FrameIndex:
    """Index frames that were decoded, from the first to the last.

    Args:
        stamps: Their stamps. Where some have none, the stream's rate counts.
        stream: Where they come from.

    Raises:
        MisleadingFileError: A frame is shown before the one that comes before it.
    """
    known = [stamp for stamp in stamps if stamp is not None]
    if stream.time_base is None or len(known) < len(stamps):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return FrameIndex(np.arange(len(stamps)), 1 / Fraction(rate))
    for number, (one, after) in enumerate(zip(known, known[1:], strict=False), 1):
        if after < one:
            raise MisleadingFileError(f"its times go back at frame {number}")
    return FrameIndex(np.array(known, np.int64), stream.time_base)


def _check_promise(
    container: InputContainer, stream: VideoStream, packets: Sequence[Packet]
) -> None:
    found = len(packets)
    if container.format.name == "avi":
        # A frame that repeats the one before is a number without a packet.
        found = max((x.pts + 1 for x in packets if x.pts is not None), default=0)
    if found < stream.frames:
        raise MisleadingFileError(
            f"it is cut short: {found} of {stream.frames} frames are there"
        )
