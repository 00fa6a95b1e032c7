"""What becomes of the state in an endless video.

A model that was trained on short clips has never seen a state that is hours old.
A policy decides when states fade or start anew, and which one speaks. A head that
averages a clip's logits has the same question: over which frames of a stream?

A policy of your own is a class in a file that the config names in ``custom_imports``::

    @register_policy("restart_hourly")
    class RestartHourly(Policy):
        def resets(self, streams):
            return self.frames[streams, None] % 14400 == 0
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from .running_mean import ROUNDING


class Policy(ABC):
    """Decides, frame by frame, which states of a stream start anew and which speaks.

    For every frame whoever runs the model calls :meth:`advance`, resets the states
    that it names, multiplies the recurrent part of all states by :attr:`fade`, steps
    the model, lets the state that :meth:`speaker` names answer, and hands the answer
    to :meth:`observe`. Streams are independent: what a policy says of one depends on
    nothing that another was given.

    A subclass gives :meth:`resets`, a pure function of what it has counted, and may
    set the attributes, choose another speaker and count more.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.

    Attributes:
        replicas: States R a stream; each costs a step a frame.
        fade: What the recurrent part keeps over an interval, in (0, 1].
        average: What the mean over frames, of heads that take one, keeps over an
            interval, in [0, 1]; it starts anew with its state. Here it reaches back
            about a clip, so that it follows an endless video.
        frames: Frames each stream has read, int64 ``[S]``.
        last: When the last frame came, ``[S]``, in intervals of training since the
            stream's first; -1 before it.
        clock: When the next one comes, ``[S]``: an interval later, or what
            :meth:`advance` is told.
        elapsed: Intervals that the last frame counts for, ``[S]``.
        ages: Frames each state has read since its start, int64 ``[S, R]``.
    """

    replicas = 1
    fade = 1.0

    def __init__(self, clip_len: int, labels: Sequence[str]) -> None:
        self.average = 1 - 1 / clip_len
        self.begin(0)

    def begin(self, num_streams: int) -> None:
        """Start with new streams."""
        self.frames = np.zeros(num_streams, np.int64)
        self.last = np.full(num_streams, -1.0)
        self.clock = np.zeros(num_streams)
        self.elapsed = np.ones(num_streams)
        self.ages = np.zeros((num_streams, self.replicas), np.int64)

    def restart(self, streams: np.ndarray) -> None:
        """Some streams (indices) start anew."""
        self.frames[streams] = 0
        self.last[streams], self.clock[streams] = -1.0, 0.0
        self.ages[streams] = 0

    @abstractmethod
    def resets(self, streams: np.ndarray) -> np.ndarray:
        """Which states start anew before the next frame.

        Args:
            streams: Indices of the M streams that have a frame.

        Returns:
            Booleans ``[M, R]``.
        """

    def advance(
        self, streams: np.ndarray, elapsed: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Count a frame of some streams; return what :meth:`resets` said before it.

        Args:
            streams: Indices ``[M]``.
            elapsed: Intervals since the last frame of each, ``[M]``; not asked for the
                first.
        """
        first = self.frames[streams] == 0
        self.elapsed[streams] = np.where(first, 1.0, elapsed)
        self.clock[streams] = self.last[streams] + self.elapsed[streams]
        anew = self.resets(streams)
        self.last[streams] = self.clock[streams]
        self.clock[streams] += 1
        self.ages[streams] = np.where(anew, 0, self.ages[streams]) + 1
        self.frames[streams] += 1
        return anew

    def speaker(self, streams: np.ndarray) -> np.ndarray:
        """Index ``[M]`` of the state that answers for each stream: the oldest."""
        return self.ages[streams].argmax(axis=1)

    def observe(self, scores: np.ndarray, streams: np.ndarray) -> None:  # noqa: B027
        """Take the answer; most policies ask nothing of it.

        Args:
            scores: Probabilities ``[M, num_classes]`` of the states that spoke.
            streams: As for :meth:`resets`.
        """


POLICIES: dict[str, type[Policy]] = {}
"""Policies by the name that configs and command lines give them."""


def register_policy(name: str) -> Callable[[type[Policy]], type[Policy]]:
    """Enter a policy into :data:`POLICIES`.

    Raises:
        ValueError: The name is taken.
    """

    def register(kind: type[Policy]) -> type[Policy]:
        if name in POLICIES:
            raise ValueError(f"there is a policy {name!r} already: {POLICIES[name]}")
        POLICIES[name] = kind
        return kind

    return register


@register_policy("keep")
class KeepState(Policy):
    """Never touch the state: it lives as long as the stream."""

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """None."""
        return np.zeros((len(streams), self.replicas), bool)


@register_policy("decay")
class DecayState(KeepState):
    """Let the recurrent part of the state, and the mean over frames, fade.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        half_life: Intervals after which half is left; ``clip_len`` if None.

    Raises:
        ValueError: ``half_life`` is not above 0.
    """

    def __init__(
        self, clip_len: int, labels: Sequence[str], half_life: float | None = None
    ) -> None:
        super().__init__(clip_len, labels)
        half_life = clip_len if half_life is None else half_life
        if half_life <= 0:
            raise ValueError(f"half_life must be above 0 frames, got {half_life}")
        self.fade = self.average = 0.5 ** (1 / half_life)


@register_policy("staggered")
class StaggeredStates(Policy):
    """Two states, restarted in turn; the older one speaks.

    The speaking state has read between ``period / 2`` and ``period`` frames at all
    times (after the first half period), and says exactly what the model would say of
    a clip of these frames. Costs two steps a frame.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        period: Intervals from a state's restart to its next (frames, at the training's
            rate); even, ``2 * clip_len`` if None.

    Raises:
        ValueError: ``period`` is odd or below 2.
    """

    replicas = 2

    def __init__(
        self, clip_len: int, labels: Sequence[str], period: int | None = None
    ) -> None:
        super().__init__(clip_len, labels)
        self.average = 1.0
        self.period = 2 * clip_len if period is None else period
        if self.period < 2 or self.period % 2:
            raise ValueError(f"period must be an even number, got {self.period}")

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """The first state every period, the second half a period later."""
        halves = self.period / 2
        now, before = (
            np.floor((time[streams, None] + ROUNDING) / halves)
            for time in (self.clock, self.last)
        )
        return (now > before) & ((now % 2 == [0, 1]) | (now - before > 1))


@register_policy("reset_on_background")
class ResetOnBackground(Policy):
    """Start anew whenever nothing has been going on for a while.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        label: The class that means nothing is going on.
        threshold: Its score from which a frame counts.
        patience: Intervals of such frames in a row before a reset; ``clip_len // 2``
            if None.

    Raises:
        ValueError: ``label`` is not among the classes.
    """

    def __init__(
        self,
        clip_len: int,
        labels: Sequence[str],
        label: str = "No gesture",
        threshold: float = 0.5,
        patience: int | None = None,
    ) -> None:
        if label not in labels:
            raise ValueError(
                f"policy 'reset_on_background' needs the class {label!r}, which is not "
                f"among the labels {list(labels)}: give label= or another policy"
            )
        self.index = list(labels).index(label)
        self.threshold = threshold
        self.patience = max(1, clip_len // 2) if patience is None else patience
        super().__init__(clip_len, labels)

    def begin(self, num_streams: int) -> None:
        """Start with new streams."""
        super().begin(num_streams)
        self.quiet = np.zeros(num_streams)

    def restart(self, streams: np.ndarray) -> None:
        """Some streams start anew."""
        super().restart(streams)
        self.quiet[streams] = 0

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """Those of streams that have been quiet for long enough."""
        return self.quiet[streams, None] >= self.patience - ROUNDING

    def observe(self, scores: np.ndarray, streams: np.ndarray) -> None:
        """Count quiet frames; a restart counts from the beginning."""
        since = self.quiet[streams]
        since = np.where(since >= self.patience - ROUNDING, 0, since)
        quiet = scores[:, self.index] >= self.threshold
        self.quiet[streams] = np.where(quiet, since + self.elapsed[streams], 0)


def build_policy(policy: str | dict, clip_len: int, labels: Sequence[str]) -> Policy:
    """Make a policy.

    Args:
        policy: A key of :data:`POLICIES`, or ``dict(name=key, **options)``.
        clip_len: Frames of a training clip.
        labels: Names of the classes.

    Raises:
        ValueError: Unknown name or bad option value.
        TypeError: Unknown option.
    """
    options = dict(name=policy) if isinstance(policy, str) else dict(policy)
    name = options.pop("name", None)
    if name not in POLICIES:
        raise ValueError(
            f"policy {name!r} is unknown: choose one of {', '.join(POLICIES)}"
        )
    return POLICIES[name](clip_len, labels, **options)
