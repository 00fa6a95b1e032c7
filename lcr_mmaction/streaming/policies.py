"""What becomes of the state in an endless video.

A model that was trained on short clips has never seen a state that is hours old.
A policy decides when states fade or start anew, and which one speaks. A head that
averages a clip's logits has the same question: over which frames of a stream?
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class KeepState:
    """Never touch the state: it lives as long as the stream.

    Also the base class. A policy keeps ``replicas`` states a stream; every frame,
    those that :meth:`resets` names start anew and the recurrent part of all is
    multiplied by ``fade``. The mean over frames, of heads that take one, forgets by
    the factor ``average``: here it reaches back about a clip.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
    """

    replicas = 1
    fade = 1.0

    def __init__(self, clip_len: int, labels: Sequence[str]) -> None:
        self.average = 1 - 1 / clip_len
        self.begin(0)

    def begin(self, num_streams: int) -> None:
        """Start with new streams."""
        self.frames = np.zeros(num_streams, np.int64)

    def restart(self, streams: np.ndarray) -> None:
        """Some streams (indices) start anew."""
        self.frames[streams] = 0

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """Which states start anew before the next frame.

        Args:
            streams: Indices of the M streams that have a frame.

        Returns:
            Booleans ``[M, replicas]``.
        """
        return np.zeros((len(streams), self.replicas), bool)

    def read(self, scores: np.ndarray, streams: np.ndarray) -> np.ndarray:
        """Make one answer of the replicas', and count the frame.

        Args:
            scores: Probabilities ``[M, replicas, num_classes]``.
            streams: As for :meth:`resets`.

        Returns:
            ``[M, num_classes]``.
        """
        self.frames[streams] += 1
        return scores[:, 0]


class DecayState(KeepState):
    """Let the recurrent part of the state, and the mean over frames, fade.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        half_life: Frames after which half is left; ``clip_len`` if None.
    """

    def __init__(
        self, clip_len: int, labels: Sequence[str], half_life: float | None = None
    ) -> None:
        super().__init__(clip_len, labels)
        half_life = clip_len if half_life is None else half_life
        if half_life <= 0:
            raise ValueError(f"half_life must be above 0 frames, got {half_life}")
        self.fade = self.average = 0.5 ** (1 / half_life)


class StaggeredStates(KeepState):
    """Two states, restarted in turn; the older one speaks.

    The speaking state has read between ``period / 2`` and ``period`` frames at all
    times (after the first half period), and says exactly what the model would say of
    a clip of these frames. Costs two steps a frame.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        period: Frames from a state's restart to its next; even, ``2 * clip_len``
            if None.
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

    def _ages(self, streams: np.ndarray) -> np.ndarray:
        """Frames that each state has read since its restart, ``[M, 2]``."""
        frames = self.frames[streams]
        shifted = frames - self.period // 2
        first = frames % self.period
        second = np.where(shifted < 0, frames, shifted % self.period)
        return np.stack([first, second], axis=1)

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """Those whose period is over."""
        return self._ages(streams) == 0

    def read(self, scores: np.ndarray, streams: np.ndarray) -> np.ndarray:
        """Let the older state speak."""
        older = self._ages(streams).argmax(axis=1)
        super().read(scores, streams)
        return scores[np.arange(len(streams)), older]


class ResetOnBackground(KeepState):
    """Start anew whenever nothing has been going on for a while.

    Args:
        clip_len: Frames of a training clip.
        labels: Names of the classes.
        label: The class that means nothing is going on.
        threshold: Its score from which a frame counts.
        patience: Such frames in a row before a reset; ``clip_len // 2`` if None.

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
        self.quiet = np.zeros(num_streams, np.int64)

    def restart(self, streams: np.ndarray) -> None:
        """Some streams start anew."""
        super().restart(streams)
        self.quiet[streams] = 0

    def resets(self, streams: np.ndarray) -> np.ndarray:
        """Those of streams that have been quiet for long enough."""
        due = self.quiet[streams] >= self.patience
        self.quiet[streams[due]] = 0
        return due[:, None]

    def read(self, scores: np.ndarray, streams: np.ndarray) -> np.ndarray:
        """Count quiet frames."""
        answer = super().read(scores, streams)
        quiet = answer[:, self.index] >= self.threshold
        self.quiet[streams] = np.where(quiet, self.quiet[streams] + 1, 0)
        return answer


POLICIES: dict[str, type[KeepState]] = {
    "keep": KeepState,
    "decay": DecayState,
    "staggered": StaggeredStates,
    "reset_on_background": ResetOnBackground,
}


def build_policy(policy: str | dict, clip_len: int, labels: Sequence[str]) -> KeepState:
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
