"""Recognition while the video runs: one frame in, scores out."""

from __future__ import annotations

import copy
import time as clock
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from torch import Tensor, nn

from ..models.state import (
    LCRState,
    decay_streams,
    map_state,
    num_streams,
    put_streams,
    reset_streams,
    select_streams,
)
from .consensus import FrameConsensus
from .events import EventDetector, GestureEvent
from .labels import find_labels
from .loop import read_sources
from .policies import build_policy
from .preprocess import (
    FramePreprocessor,
    find_clip_len,
    find_test_pipeline,
    normalise,
)
from .result import StreamResult
from .sources import FrameSource

DEFAULT_POLICY = "staggered"
DEFAULT_SMOOTHING = 0.5
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
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | torch.device = "cpu",
        *,
        dtype: str = "float32",
        compiled: bool = False,
        num_streams: int = 1,
        channel_order: str = "bgr",
        labels: str | Path | Sequence[str] | None = None,
        fps: float | None = None,
        policy: str | dict | None = None,
        smoothing: float | None = None,
        events: dict | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r} is unknown: choose one of {DTYPES}")
        if not isinstance(config, Config):
            config = Config.fromfile(config)
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
        settings = config.get("streaming", {})

        def setting(name: str, given: object, default: object) -> object:
            return settings.get(name, default) if given is None else given

        pipeline = find_test_pipeline(config)
        self.preprocess = FramePreprocessor(pipeline)
        self.channel_order = channel_order
        self.labels = find_labels(config, labels)
        self.fps: float | None = setting("fps", fps, None)
        self.smoothing = float(setting("smoothing", smoothing, DEFAULT_SMOOTHING))
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing must lie in [0, 1), got {self.smoothing}")
        self.policy = build_policy(
            setting("policy", policy, DEFAULT_POLICY),
            find_clip_len(pipeline),
            self.labels,
        )
        self.num_streams = num_streams
        self.event_options = dict(setting("events", events, {}))
        self._begin()

    def _begin(self) -> None:
        self.detectors = [
            EventDetector(self.labels, stream=i, **self.event_options)
            for i in range(self.num_streams)
        ]
        self.reset()

    def fork(self, channel_order: str | None = None) -> StreamingRecognizer:
        """Make a recognizer of the same model and settings with streams of its own.

        Weights take memory once, however many there are; nothing that one has seen
        reaches another.

        Args:
            channel_order: Of the arrays it will be given; as here if None.
        """
        other = copy.copy(self)
        other.channel_order = channel_order or self.channel_order
        other.policy = copy.deepcopy(self.policy)
        other._begin()
        return other

    def reset(self, streams: Sequence[int] | None = None) -> None:
        """Forget the past of some streams, or of all.

        Args:
            streams: Indices; None means all, whose frames may then have another
                size.
        """
        if streams is None:
            self.state: LCRState | None = None
            self.policy.begin(self.num_streams)
            self._index = np.zeros(self.num_streams, np.int64)
            self._smooth = np.zeros((self.num_streams, len(self.labels)))
            averages = self.model.cls_head.consensus == "mean"
            self._consensus = FrameConsensus(
                self.policy.average if averages else 0.0,
                self.num_streams,
                self.policy.replicas,
                len(self.labels),
            )
            streams = range(self.num_streams)
        index = np.asarray(streams, np.int64)
        self.policy.restart(index)
        self._consensus.reset(index)
        self._index[index] = 0
        for i in index:
            self.detectors[i].reset()
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
        active = np.array([i for i, x in enumerate(frames) if x is not None], np.int64)
        results: list[StreamResult | None] = [None] * self.num_streams
        if not len(active):
            return results
        orders = channel_orders or [self.channel_order] * self.num_streams
        pictures = [self.preprocess(frames[i], orders[i]) for i in active]
        scores = self._score(normalise(self.model.data_preprocessor, pictures), active)
        self._smooth_in(scores, active)
        latency = clock.perf_counter() - began
        for i, picture in zip(active, pictures, strict=True):
            time = None if times is None else times[i]
            results[i] = self._result(int(i), time, frames[i], picture, latency)
        return results

    def run(
        self, source: int | str | Path | FrameSource | Iterable[np.ndarray]
    ) -> Iterator[StreamResult]:
        """Read a source to its end.

        Starts anew, and closes the source when it ends or the generator is closed.
        :meth:`finish` then ends a gesture that still goes on.

        Args:
            source: See :func:`.sources.open_source`.
        """
        for results in self.run_many([source]):
            yield from (result for result in results if result is not None)

    def run_many(
        self, sources: Sequence[int | str | Path | FrameSource | Iterable[np.ndarray]]
    ) -> Iterator[list[StreamResult | None]]:
        """Read as many sources as there are streams, as one batch.

        Files advance together; of live sources each batch holds those that have a
        new frame. Starts anew; closes the sources.

        Args:
            sources: See :func:`.sources.open_source`.

        Raises:
            ValueError: There are not as many sources as streams.
        """
        return read_sources(self, sources)

    def finish(self) -> list[list[GestureEvent]]:
        """End the gestures that go on, as at the end of a video.

        Returns:
            Their events, one list a stream.
        """
        return [detector.finish() for detector in self.detectors]

    @torch.inference_mode()
    def _score(self, inputs: Tensor, active: np.ndarray) -> np.ndarray:
        """Step the model; probabilities ``[M, num_classes]``."""
        replicas = self.policy.replicas
        backbone, head = self.model.backbone, self.model.cls_head
        if self.state is None:
            size = tuple(inputs.shape[-2:])
            self.state = backbone.init_state(self.num_streams * replicas, size)
        everyone = len(active) == self.num_streams
        rows = self._rows(active)
        state = self.state if everyone else select_streams(self.state, rows)
        anew = self.policy.resets(active)
        if anew.any():
            self._consensus.reset(active, anew)
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
        logits = head(feature).unflatten(0, (-1, replicas)).cpu().numpy()
        return self.policy.read(self._consensus.add(logits, active), active)

    def _rows(self, streams: np.ndarray) -> Tensor:
        replicas = self.policy.replicas
        rows = streams[:, None] * replicas + np.arange(replicas)
        device = next(self.model.parameters()).device
        return torch.from_numpy(rows.reshape(-1)).to(device)

    def _smooth_in(self, scores: np.ndarray, active: np.ndarray) -> None:
        past = np.where(self._index[active] > 0, self.smoothing, 0.0)[:, None]
        self._smooth[active] = past * self._smooth[active] + (1 - past) * scores

    def _result(
        self,
        i: int,
        time: float | None,
        image: np.ndarray,
        picture: np.ndarray,
        latency: float,
    ) -> StreamResult:
        index = int(self._index[i])
        self._index[i] += 1
        time = index / (self.fps or 1.0) if time is None else time
        scores = self._smooth[i].copy()
        best = int(scores.argmax())
        events = self.detectors[i].update(scores, time)
        return StreamResult(
            index=index,
            time=time,
            scores=scores,
            label=self.labels[best],
            score=float(scores[best]),
            events=tuple(events),
            gesture=self.detectors[i].current,
            image=image,
            picture=picture,
            latency=latency,
            stream=i,
        )
