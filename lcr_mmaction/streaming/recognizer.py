"""Recognition while the video runs: one frame in, scores out."""

from __future__ import annotations

import copy
import time as clock
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from torch import Tensor, nn

from lcr_runtime.events import EventDetector, GestureEvent
from lcr_runtime.loop import Source, open_sources, read_together
from lcr_runtime.options import StreamOptions
from lcr_runtime.policies import Policy
from lcr_runtime.preprocess import find_test_pipeline
from lcr_runtime.readout import Readout
from lcr_runtime.result import StreamResult

from ..models.state import (
    LCRState,
    decay_streams,
    map_state,
    num_streams,
    put_streams,
    reset_streams,
    select_streams,
)
from .pipeline import FramePreprocessor, normalise

DTYPES = ("float32", "bfloat16", "float16")


class StreamingRecognizer:
    """Recognise gestures in streams of frames, at a constant cost a frame.

    What is None comes from the config's ``streaming`` dict, which has the same
    keys, or else from the defaults named here.

    Args:
        config: An LCR config, or its file.
        checkpoint: Weights; None leaves them random, with a warning.
        device: Where to compute.
        dtype: ``'float32'``, or ``'bfloat16'`` or ``'float16'`` for matrix products
            in half precision (autocast); cell and scores stay float32.
        compiled: Compile the step with ``torch.compile`` at the first frame. Needs a
            C++ compiler and about a minute; each number and size of frames that
            comes later is compiled once more.
        num_streams: Streams in the batch.
        channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of arrays given.
        labels: Names of the classes or a file with one a line. Default: of the
            test data set's ``metainfo``; else the indices.
        fps: Frames per second that the model was trained on; cameras and videos
            are thinned out to it. Default: every frame.
        policy: What becomes of the state in an endless video: a key of
            :data:`.policies.POLICIES` or ``dict(name=key, **options)``.
        smoothing: Share of the past in the exponential moving average of the
            probabilities, in [0, 1). Default 0.5.
        events: Options of :class:`.events.EventDetector`.

    Raises:
        ValueError: An option or the config does not fit.
        TypeError: The config's backbone cannot step.
    """

    def __init__(
        self,
        config: str | PathLike | Config,
        checkpoint: str | PathLike | None = None,
        device: str | torch.device = "cpu",
        *,
        dtype: str = "float32",
        compiled: bool = False,
        num_streams: int = 1,
        channel_order: str = "bgr",
        labels: str | PathLike | Sequence[str] | None = None,
        fps: float | None = None,
        policy: str | dict | None = None,
        smoothing: float | None = None,
        events: dict | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r} is unknown: choose one of {DTYPES}")
        if not isinstance(config, Config):
            config = Config.fromfile(config)
        # What does not fit is said before weights are read.
        self.options = StreamOptions.from_config(
            config,
            labels=labels,
            fps=fps,
            policy=policy,
            smoothing=smoothing,
            events=events,
        )
        if checkpoint is None:
            warnings.warn(
                "no checkpoint given: the scores of random weights mean nothing",
                stacklevel=2,
            )
        else:
            checkpoint = str(checkpoint)
        self.model = init_recognizer(config, checkpoint, device)
        if not hasattr(self.model.backbone, "step"):
            raise TypeError(
                f"{type(self.model.backbone).__name__} has no step(): streaming needs "
                "a config with LCRBackbone"
            )
        half = dtype != "float32"
        self.autocast = torch.autocast(
            torch.device(device).type, dtype=getattr(torch, dtype), enabled=half
        )
        if half:
            # Autocast would convert these weights anew at every frame.
            for module in self.model.backbone.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)):
                    module.to(getattr(torch, dtype))
        step = self.model.backbone.step
        self.step = torch.compile(step, dynamic=False) if compiled else step
        self.preprocess = FramePreprocessor(find_test_pipeline(config))
        self.channel_order = channel_order
        self.num_streams = num_streams
        self.reset()

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
        self,
        channel_order: str | None = None,
        options: StreamOptions | None = None,
        num_streams: int | None = None,
    ) -> StreamingRecognizer:
        """Make a recognizer of the same model and settings with streams of its own.

        Weights take memory once, however many there are; nothing that one has seen
        reaches another.

        Args:
            channel_order: Of the arrays it will be given; as here if None.
            options: How it makes scores and events of logits; as here if None.
            num_streams: Streams in its batch; as here if None.
        """
        other = copy.copy(self)
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
        if streams is None:
            self.state: LCRState | None = None
            self.readout = Readout(self.options, self.num_streams)
            return
        index = np.asarray(streams, np.int64)
        self.readout.reset(index)
        if self.state is not None and len(index):
            rows = self._rows(index)
            which = rows.new_zeros(num_streams(self.state), dtype=torch.bool)
            self.state = reset_streams(self.state, which.index_fill(0, rows, True))

    def update(self, frame: np.ndarray, time: float | None = None) -> StreamResult:
        """Read the next frame of the only stream.

        Args:
            frame: ``H x W x 3`` uint8 in :attr:`channel_order`.
            time: Its time in seconds; None counts frames at :attr:`fps` (at one a
                second without).

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
        """
        began = clock.perf_counter()
        if len(frames) != self.num_streams:
            raise ValueError(
                f"expected {self.num_streams} frames (None where a stream has none), "
                f"got {len(frames)}"
            )
        given = {i: frame for i, frame in enumerate(frames) if frame is not None}
        active = np.array(list(given), np.int64)
        results: list[StreamResult | None] = [None] * self.num_streams
        if not len(active):
            return results
        orders = channel_orders or [self.channel_order] * self.num_streams
        pictures = [self.preprocess(x, orders[i]) for i, x in given.items()]
        inputs = normalise(self.model.data_preprocessor, pictures)
        logits = self._step(inputs, active, self.readout.restarts(active))
        now = None if times is None else [times[i] for i in active]
        readings = self.readout.read(logits, active, now)
        latency = clock.perf_counter() - began
        for reading, picture in zip(readings, pictures, strict=True):
            results[reading.stream] = StreamResult(
                **vars(reading),
                image=given[reading.stream],
                picture=picture,
                latency=latency,
            )
        return results

    def run(self, source: Source) -> Iterator[StreamResult]:
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
        """
        if len(sources) != self.num_streams:
            raise ValueError(
                f"{len(sources)} sources for {self.num_streams} streams: set "
                "num_streams"
            )
        self.reset()
        with ExitStack() as stack:
            opened = open_sources(sources, self.fps, self.channel_order)
            for source in opened:
                stack.callback(source.close)
            orders = [source.channel_order for source in opened]
            for frames in read_together(opened):
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

    @torch.inference_mode()
    def _step(self, inputs: Tensor, active: np.ndarray, anew: np.ndarray) -> np.ndarray:
        """Step the states of M streams, those in ``anew`` from their start.

        Returns:
            Logits ``[M, replicas, num_classes]``.
        """
        replicas = self.policy.replicas
        backbone, head = self.model.backbone, self.model.cls_head
        if self.state is None:
            size = tuple(inputs.shape[-2:])
            self.state = backbone.init_state(self.num_streams * replicas, size)
        everyone = len(active) == self.num_streams
        rows = self._rows(active)
        state = self.state if everyone else select_streams(self.state, rows)
        if anew.any():
            which = torch.from_numpy(anew.reshape(-1)).to(inputs.device)
            state = reset_streams(state, which)
        if self.policy.fade != 1:
            state = decay_streams(state, self.policy.fade)
        inputs = inputs.repeat_interleave(replicas, dim=0)
        with self.autocast:
            feature, after = self.step(inputs, state)
        # A state keeps its dtypes, whatever the products came in.
        state = map_state(lambda new, old: new.to(old.dtype), after, state)
        self.state = state if everyone else put_streams(self.state, rows, state)
        return head(feature).unflatten(0, (-1, replicas)).cpu().numpy()

    def _rows(self, streams: np.ndarray) -> Tensor:
        replicas = self.policy.replicas
        rows = streams[:, None] * replicas + np.arange(replicas)
        device = next(self.model.parameters()).device
        return torch.from_numpy(rows.reshape(-1)).to(device)
