"""Recognition while the video runs: one frame in, scores out."""

from __future__ import annotations

import copy
import threading
import time as clock
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from os import PathLike
from typing import Any, NoReturn, TypeVar

import numpy as np

from .engines import Engine, open_engine
from .events import EventDetector, GestureEvent
from .loop import Source, open_sources, read_together
from .options import StreamOptions
from .policies import Policy
from .readout import Readout
from .result import StreamResult

Recognizer = TypeVar("Recognizer", bound="StreamRecognizer")


class StreamRecognizer:
    """Recognise gestures in streams of frames, at a constant cost a frame.

    It remembers what it has read: one thread or loop at a time. Each of several takes
    a :meth:`fork`. A deep copy goes on from where the original is, with the same
    weights; another process opens the model itself.

    Args:
        engine: Computes the model's step.
        options: How its logits become scores and events.
        num_streams: Streams in the batch.
        channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of arrays given.
    """

    def __init__(
        self,
        engine: Engine,
        options: StreamOptions,
        num_streams: int = 1,
        channel_order: str = "bgr",
    ) -> None:
        self.engine = engine
        self.options = options
        self.num_streams = num_streams
        self.channel_order = channel_order
        self._busy, self._run = threading.Lock(), object()
        self.reset()

    def __deepcopy__(self: Recognizer, memo: dict[int, Any]) -> Recognizer:
        """A recognizer of the same weights that has read the same frames."""
        with self._alone():
            other = self.fork()
            other.engine = copy.deepcopy(self.engine, memo)
            other.readout = copy.deepcopy(self.readout, memo)
            other._last = dict(self._last)
        return other

    def __copy__(self) -> NoReturn:
        raise TypeError(
            "copy.copy() of a recognizer would share its state: use fork() for a new "
            "stream, copy.deepcopy() to go on from here"
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "a recognizer cannot be pickled: open the model in the process that runs it"
        )

    @property
    def labels(self) -> list[str]:
        """Names of the classes."""
        return list(self.options.labels)

    @property
    def fps(self) -> float | None:
        """Frames per second that cameras and videos are thinned out to."""
        return self.options.fps

    @property
    def policy(self) -> Policy:
        """What becomes of the state."""
        return self.readout.policy

    @property
    def detectors(self) -> list[EventDetector]:
        """Of every stream."""
        return self.readout.detectors

    def fork(
        self: Recognizer,
        channel_order: str | None = None,
        options: StreamOptions | None = None,
        num_streams: int | None = None,
    ) -> Recognizer:
        """Make a recognizer of the same model and settings with streams of its own.

        Weights take memory once, however many there are; nothing that one has seen
        reaches another.

        Args:
            channel_order: Of the arrays it will be given; as here if None.
            options: How it makes scores and events of logits; as here if None.
            num_streams: Streams in its batch; as here if None.
        """
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other._busy, other._run = threading.Lock(), object()
        other.engine = self.engine.fork()
        other.channel_order = channel_order or self.channel_order
        other.options = options or self.options
        other.num_streams = num_streams or self.num_streams
        other.reset()
        return other

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Forget the past of some streams, or of all.

        Args:
            streams: Indices; None means all, whose frames may then have another
                size.
        """
        with self._alone():
            if streams is None:
                self._last: dict[int, StreamResult] = {}
                self.readout = Readout(self.options, self.num_streams)
                self.engine.begin(self.num_streams, self.policy.replicas)
                return
            index = np.asarray(streams, np.int64)
            self.readout.reset(index)
            self.engine.restart(index)

    def update(self, frame: np.ndarray, time: float | None = None) -> StreamResult:
        """Read the next frame of the only stream.

        Args:
            frame: ``H x W x 3`` uint8 in :attr:`channel_order`.
            time: Its time in seconds; None counts frames at :attr:`fps` (at one a
                second without). What lies between frames reaches the model, which
                knows of no other rate than :attr:`fps` without. Where the options are
                to ``thin`` out frames, those that come too soon are not ``read``.

        Raises:
            ValueError: There are several streams, or the frame does not fit.
            TypeError: The frame is not uint8.
        """
        if self.num_streams != 1:
            raise ValueError(
                f"update() reads one stream, but there are {self.num_streams}: use "
                "update_batch()"
            )
        (result,) = self.update_batch([frame], None if time is None else [time])
        assert result is not None  # there was a frame
        return result

    def update_batch(
        self,
        frames: Sequence[np.ndarray | None],
        times: Sequence[float | None] | None = None,
        channel_orders: Sequence[str] | None = None,
    ) -> list[StreamResult | None]:
        """Read the next frame of every stream that has one.

        Args:
            frames: One a stream; None where there is no new frame.
            times: One a stream, as for :meth:`update`.
            channel_orders: One a stream; :attr:`channel_order` if None.

        Returns:
            One a stream; None where there was no frame.

        Raises:
            ValueError: As many frames as streams are needed, of sizes that the
                pipeline makes equal.
            TypeError: A frame is not uint8.
            RuntimeError: Another thread is at it, or the model was changed.
        """
        with self._alone():
            return self._update_batch(frames, times, channel_orders)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(
                "this recognizer is at work in another thread; a stream of its own "
                "for each: recognizer.fork()"
            )
        try:
            yield
        finally:
            self._busy.release()

    def _update_batch(
        self,
        frames: Sequence[np.ndarray | None],
        times: Sequence[float | None] | None,
        channel_orders: Sequence[str] | None,
    ) -> list[StreamResult | None]:
        began = clock.perf_counter()
        if len(frames) != self.num_streams:
            raise ValueError(
                f"expected {self.num_streams} frames (None where a stream has none), "
                f"got {len(frames)}"
            )
        given = {i: frame for i, frame in enumerate(frames) if frame is not None}
        results: list[StreamResult | None] = [None] * self.num_streams
        if not given:
            return results
        orders = channel_orders or [self.channel_order] * self.num_streams
        when = [None] * self.num_streams if times is None else list(times)
        due = [i for i in given if self.readout.due(i, when[i])]
        read = self._read({i: given[i] for i in due}, when, orders) if due else []
        self._last.update((result.stream, result) for result in read)
        latency = clock.perf_counter() - began
        for i, image in given.items():
            last, time = self._last[i], when[i]
            result = replace(last, image=image, latency=latency)
            if time is not None and i not in due:
                # Said again, of a later moment.
                again = last.index + 1
                result = replace(result, index=again, time=time, events=(), read=False)
            results[i] = result
        return results

    def _read(
        self,
        frames: Mapping[int, np.ndarray],
        when: Sequence[float | None],
        orders: Sequence[str],
    ) -> list[StreamResult]:
        """Let the model read frames, by stream."""
        active = np.array(list(frames), np.int64)
        pictures = [self.engine.prepare(x, orders[i]) for i, x in frames.items()]
        now = [when[i] for i in active]
        anew = self.readout.restarts(active, now)
        logits = self.engine.step(
            pictures, active, anew, self.policy.fade, self.readout.elapsed[active]
        )
        readings = self.readout.read(logits, active, now)
        return [
            StreamResult(
                **vars(reading),
                image=frames[reading.stream],
                picture=picture,
                latency=0.0,
            )
            for reading, picture in zip(readings, pictures, strict=True)
        ]

    def run(self, source: Source) -> Generator[StreamResult, None, None]:
        """Read a source to its end.

        Starts anew, and closes the source when it ends or the generator is closed.
        :meth:`finish` then ends a gesture that still goes on.

        Args:
            source: See :func:`.sources.open_source`.
        """
        for results in self.run_many([source]):
            yield from (result for result in results if result is not None)

    def run_many(
        self, sources: Sequence[Source]
    ) -> Iterator[list[StreamResult | None]]:
        """Read as many sources as there are streams, as one batch.

        Files advance together; of live sources each batch holds those that have a
        new frame. Starts anew; closes the sources.

        Args:
            sources: See :func:`.sources.open_source`.

        Raises:
            ValueError: There are not as many sources as streams.
            RuntimeError: On reading, another run has begun with this recognizer.
        """
        if len(sources) != self.num_streams:
            raise ValueError(
                f"{len(sources)} sources for {self.num_streams} streams: set "
                "num_streams"
            )
        self.reset()
        run = self._run = object()
        with ExitStack() as stack:
            opened = open_sources(sources, self.fps, self.channel_order)
            for source in opened:
                stack.callback(source.close)
            orders = [source.channel_order for source in opened]
            for frames in read_together(opened):
                if self._run is not run:
                    raise RuntimeError(
                        "another run has begun with this recognizer and has taken its "
                        "state; a recognizer of its own for each: recognizer.fork()"
                    )
                images = [None if frame is None else frame.image for frame in frames]
                times = [None if frame is None else frame.time for frame in frames]
                results = self.update_batch(images, times, orders)
                yield [
                    None if result is None else replace(result, dropped=source.dropped)
                    for result, source in zip(results, opened, strict=True)
                ]

    def finish(self) -> list[list[GestureEvent]]:
        """End the gestures that go on, as at the end of a video.

        Returns:
            Their events, one list a stream.
        """
        return self.readout.finish()


def load_recognizer(
    path: str | PathLike,
    engine: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
    *,
    num_streams: int = 1,
    channel_order: str = "bgr",
    **options: Any,
) -> StreamRecognizer:
    """Load an exported model that is ready for frames.

    Args:
        path: An ONNX file that ``lcr export`` wrote.
        engine: See :func:`.engines.open_engine`, as for the next two.
        precision: Of the engine.
        threads: Of the engine.
        num_streams: Streams in the batch.
        channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of arrays given.
        **options: Fields of :class:`.StreamOptions` to set otherwise than the file
            says, such as ``fps`` or ``policy``; None leaves them.

    Raises:
        FileNotFoundError: There is no such file.
        ModuleNotFoundError: The engine is not installed.
        ValueError: The file, the precision or an option does not fit.
        TypeError: There is no such option.
    """
    loaded = open_engine(path, engine, precision, threads)
    changed = {key: value for key, value in options.items() if value is not None}
    labels, own = changed.get("labels"), loaded.options.labels
    if isinstance(labels, Sequence) and len(labels) != len(own):
        raise ValueError(f"{len(labels)} labels for the {len(own)} classes of {path}")
    settings = replace(loaded.options, **changed) if changed else loaded.options
    return StreamRecognizer(loaded, settings, num_streams, channel_order)
