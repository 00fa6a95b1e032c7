"""The default reader: PyAV, which is FFmpeg's own libraries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import VideoError, unreadable
from .index import (
    FrameIndex,
    MisleadingFileError,
    has_order,
    index_of_frames,
    index_of_packets,
)
from .matroska import lost_bytes
from .orientation import Orientation
from .reader import TIMEOUT, VideoReader

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream


class PyAVReader(VideoReader):
    """Reads with PyAV; random access starts at the key frame before.

    See :class:`VideoReader`.

    Raises:
        VideoError: The file holds no video that PyAV opens.
    """

    decoder = "pyav"

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        super().__init__(path, timeout)
        from av.video.reformatter import VideoReformatter

        # Kept, since making one for every frame takes longer than using it.
        self._reformatter = VideoReformatter()
        with self.opened() as (container, stream):
            self.format = container.format.name
            self.has_order = has_order(container, stream)
            self.codec = stream.codec_context.codec.canonical_name
            self._header_rate = stream.average_rate or stream.guessed_rate
            self._stored_size = stream.codec_context.height, stream.codec_context.width
        self._jumped = False

    @contextmanager
    def opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file anew; FFmpeg's errors become ours."""
        import av

        try:
            # Titles and the like need not be UTF-8.
            with av.open(
                self.path, timeout=self.timeout, metadata_errors="replace"
            ) as container:
                if not container.streams.video:
                    raise self._error("there is no video in it")
                stream = container.streams.video[0]
                if stream.codec_context is None:
                    raise self._error("FFmpeg does not know the codec that it names")
                # Clips are decoded by many processes, streams beside a model.
                stream.thread_count = 1
                yield container, stream
        except av.FFmpegError as error:
            raise self._error(error.strerror or error) from error
        except MisleadingFileError as error:
            raise self._error(error) from error

    @property
    def rate(self) -> float | None:
        """Frames per second on the average; of a URL, what its header says."""
        if Path(self.path).is_file():
            return super().rate
        return None if self._header_rate is None else float(self._header_rate)

    def key_frames(self) -> list[VideoFrame]:
        """Decode the frames that need no other."""
        with self.opened() as (container, stream):
            stream.codec_context.skip_frame = "NONKEY"
            frames = list(self._decoded(container, stream))
        if not frames:
            raise self._error("no frame of it decodes")
        return frames

    def orientation(self, frame: VideoFrame) -> Orientation:
        """How a frame is stored."""
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return Orientation()
        try:
            return Orientation.of_matrix(bytes(matrix))
        except ValueError as error:
            raise self._error(error) from error

    @cached_property
    def index(self) -> FrameIndex:
        """See :class:`VideoReader`."""
        if self.format == "matroska,webm" and (lost := lost_bytes(self.path)):
            raise self._error(f"it is cut short: {lost} bytes are missing")
        with self.opened() as (container, stream):
            index = index_of_packets(container, stream)
        if index is None:
            with self.opened() as (container, stream):
                stamps = [frame.pts for frame in self._decoded(container, stream)]
                if not stamps:
                    raise self._error("no frame of it decodes")
                index = index_of_frames(stamps, stream)
        return index

    def _walk(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        index = self.index if Path(self.path).is_file() else None
        first, last, count = 0, -np.inf, 0
        with self.opened() as (container, stream):
            for frame in self._decoded(container, stream):
                if index is not None:
                    self._check_place(frame, count, index)
                    now = float(index.times[count])
                else:  # would be fetched twice to be indexed
                    if frame.pts is None or stream.time_base is None:
                        raise self._error("its frames have no times")
                    first = frame.pts if count == 0 else first
                    now = float((frame.pts - first) * stream.time_base)
                if now < last:
                    raise self._error(f"its times go back at frame {count}")
                yield now, partial(self._upright, frame)
                last, count = now, count + 1
        if not count:
            raise self._error("no frame of it decodes")
        if index is not None and count < len(self):
            raise self._missing(count, count)

    def _check_place(self, frame: VideoFrame, count: int, index: FrameIndex) -> None:
        """Refuse a frame that is not the one that the index has in its place."""
        stamped = index.keys is not None
        if count >= len(self) or (stamped and frame.pts != index.stamps[count]):
            raise self._error(f"it is damaged: frame {count} is missing")

    def _pictures(self, numbers: list[int]) -> Iterator[np.ndarray]:
        done = 0
        if self.index.keys is not None:
            try:
                for picture in self._jumping(numbers):
                    yield picture
                    done += 1
            except VideoError:
                # Unless decoding only started at a frame that is no key frame.
                if not self._jumped:
                    raise
        if done < len(numbers):
            yield from super()._pictures(numbers[done:])

    def _jumping(self, numbers: list[int]) -> Iterator[np.ndarray]:
        """Make pictures until one is not where the index has it."""
        at, self._jumped = 0, False
        with self.opened() as (container, stream):
            frames = self._decoded(container, stream)
            for number in numbers:
                key = self.index.key_before(number)
                if key > at:
                    since = int(self.index.stamps[key])
                    container.seek(since, stream=stream)
                    frames = self._decoded(container, stream, since)
                    self._jumped = True
                for frame in frames:
                    here = self.index.number_of(frame.pts) if self._jumped else at
                    if here is None or here > number:
                        return
                    at = here + 1
                    if here == number:
                        yield self._upright(frame)
                        break
                else:
                    return

    def _decoded(
        self, container: InputContainer, stream: VideoStream, since: int | None = None
    ) -> Iterator[VideoFrame]:
        """Decode from where the container stands.

        Args:
            container: The open file.
            stream: Its video.
            since: Stamp of the key frame jumped to: frames before it may lack what
                they refer to.
        """
        began = time.monotonic()
        for packet in container.demux(stream):
            for frame in packet.decode():
                early = since is not None and (frame.pts is None or frame.pts < since)
                if frame.is_corrupt and not early:
                    raise self._error(f"it is damaged: {_at(frame)} is corrupt")
                yield frame
                began = time.monotonic()
            if packet.is_corrupt:
                raise self._error("it is damaged: a packet is corrupt")
            if time.monotonic() - began > self.timeout:
                raise self._error(f"it gave no frame for {self.timeout:g} s")

    def _upright(self, frame: VideoFrame) -> np.ndarray:
        # One thread: starting more takes longer than a picture.
        image = self._reformatter.reformat(frame, format="rgb24", threads=1)
        orientation = self.orientation(frame)
        if self.size is None and all(self._stored_size):
            self.size = orientation.size(*self._stored_size)
        return orientation.upright(image.to_ndarray())

    def _error(self, reason: object) -> Exception:
        return unreadable(self.path, self.decoder, reason)


def _at(frame: VideoFrame) -> str:
    return "a frame" if frame.time is None else f"the frame at {frame.time:.2f} s"
