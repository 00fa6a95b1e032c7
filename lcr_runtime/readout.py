"""From the logits of frames to scores and events, whatever computed the logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .events import GestureEvent
from .options import StreamOptions
from .result import Reading
from .running_mean import ROUNDING, intervals, softmax


class Readout:
    """What happens to a frame's logits, for a batch of streams.

    Read top to bottom in :meth:`read`: the mean over the state's frames, its softmax,
    the answer of the state that speaks, smoothing, events. The model itself is the
    business of whoever calls: before every frame :meth:`restarts` names the states to
    start anew, and ``policy.fade`` tells how they fade.

    Args:
        options: Of the model and its stream.
        num_streams: Streams S in the batch.

    Attributes:
        elapsed: Time between the last two frames of every stream, ``[S]``, in intervals
            of training: 1 at ``options.fps``, before a second frame and without times.
    """

    def __init__(self, options: StreamOptions, num_streams: int = 1) -> None:
        self.options = options
        self.num_streams = num_streams
        self.policy = options.make_policy()
        self.policy.begin(num_streams)
        self.mean = options.make_mean(num_streams)
        self.smoothing = options.make_smoothing(num_streams)
        self.detectors = [options.make_detector(i) for i in range(num_streams)]
        # Times of the last frame of every stream that was read, and that was given; and
        # what lay between the last two that were read.
        self._time = np.full(num_streams, np.nan)
        self._given = np.full(num_streams, np.nan)
        self.elapsed = np.ones(num_streams)

    def reset(self, streams: np.ndarray) -> None:
        """Forget the past of some streams (indices), an open gesture included."""
        self.policy.restart(streams)
        self.mean.reset(streams)
        self.smoothing.reset(streams)
        self._time[streams] = self._given[streams] = np.nan
        for i in streams:
            self.detectors[i].reset()

    def due(self, stream: int, time: float | None) -> bool:
        """Whether a frame is to be read.

        All are, unless the options are to ``thin`` them out: then the one that comes
        nearest to an interval after the last that was read is the next. Of frames at up
        to one and a half times the training's rate none is left out.

        Args:
            stream: Index.
            time: The frame's, in seconds; None is always due.
        """
        now = np.nan if time is None else time
        since, gap = now - self._time[stream], now - self._given[stream]
        self._given[stream] = now
        if self.options.fps is None or not self.options.thin:
            return True
        if np.isnan(gap) or gap <= 0 or since <= 0:
            return True  # no times to go by, or a clock that stands or goes back
        # The next one, as long after this, would be further off.
        return bool(self.options.fps * (since + gap / 2) >= 1 - ROUNDING)

    def restarts(
        self, streams: np.ndarray, times: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """Begin a frame of M streams.

        Args:
            streams: Indices ``[M]``.
            times: As for :meth:`read`. Sets :attr:`elapsed` of these streams.

        Returns:
            Booleans ``[M, replicas]``: states to start anew before the step.
        """
        given = [None] * len(streams) if times is None else times
        now = np.array([np.nan if time is None else time for time in given])
        elapsed = intervals(now, self._time[streams], self.options.fps)
        self._time[streams], self.elapsed[streams] = now, elapsed
        anew = self.policy.advance(streams, elapsed)
        self.mean.reset(streams, anew)
        return anew

    def read(
        self,
        logits: np.ndarray,
        streams: np.ndarray,
        times: Sequence[float | None] | None = None,
    ) -> list[Reading]:
        """Take what the model says of the frame that :meth:`restarts` began.

        Args:
            logits: ``[M, replicas, K]``.
            streams: Indices ``[M]``.
            times: M times in seconds; where None, frames are counted at the options'
                rate (one a second without).

        Returns:
            M readings.
        """
        every = np.arange(len(streams))
        speaker = self.policy.speaker(streams)
        elapsed = self.elapsed[streams]
        answer = softmax(self.mean.add(logits, streams, elapsed))[every, speaker]
        self.policy.observe(answer, streams)
        scores = self.smoothing.add(answer, streams, elapsed)
        return [
            self._reading(
                int(stream),
                None if times is None else times[row],
                logits[row, speaker[row]],
                int(speaker[row]),
                scores[row],
            )
            for row, stream in enumerate(streams)
        ]

    def finish(self) -> list[list[GestureEvent]]:
        """End the gestures that go on; their events, one list a stream."""
        return [detector.finish() for detector in self.detectors]

    def _reading(
        self,
        stream: int,
        time: float | None,
        logits: np.ndarray,
        replica: int,
        scores: np.ndarray,
    ) -> Reading:
        index = int(self.policy.frames[stream]) - 1
        time = index / (self.options.fps or 1.0) if time is None else time
        best = int(scores.argmax())
        elapsed = float(self.elapsed[stream])
        events = self.detectors[stream].update(scores, time, elapsed)
        return Reading(
            index=index,
            time=time,
            logits=logits,
            age=int(self.policy.ages[stream, replica]),
            replica=replica,
            scores=scores,
            label=self.options.labels[best],
            score=float(scores[best]),
            events=tuple(events),
            gesture=self.detectors[stream].current,
            stream=stream,
        )
