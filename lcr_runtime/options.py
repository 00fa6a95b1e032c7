"""What a stream needs to know besides the model, from its config or its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import Any

from .events import EventDetector
from .labels import find_labels
from .policies import Policy, build_policy
from .preprocess import find_clip_len, find_test_pipeline
from .running_mean import RunningMean, Smoothing

DEFAULT_POLICY = "staggered"
DEFAULT_SMOOTHING = 0.5


@dataclass(frozen=True)
class StreamOptions:
    """How logits of frames become scores and events.

    Plain values: an exported model carries them as JSON, :meth:`as_dict`.

    Args:
        labels: Names of the K classes.
        clip_len: Frames of a training clip.
        consensus: ``'mean'`` if the head averages the logits of a clip's frames,
            ``'last'`` if it takes the last frame's.
        fps: Frames a second the model was trained on; None if that is unknown.
        thin: Whether frames whose times say that they come faster are thinned out to
            about ``fps``, :meth:`.readout.Readout.due`: for a model that has not seen
            such in training.
        policy: For :func:`.policies.build_policy`.
        smoothing: Share of the past in the average of the probabilities, [0, 1).
        events: Options of :class:`.events.EventDetector`.

    Raises:
        ValueError: A value does not fit.
        TypeError: A policy or the events have no such option.
    """

    labels: Sequence[str]
    clip_len: int
    consensus: str = "mean"
    fps: float | None = None
    policy: str | dict = DEFAULT_POLICY
    smoothing: float = DEFAULT_SMOOTHING
    events: dict = field(default_factory=dict)
    thin: bool = False

    def __post_init__(self) -> None:
        if self.consensus not in ("mean", "last"):
            raise ValueError(f"consensus={self.consensus!r}: expected 'mean' or 'last'")
        if self.fps is not None and not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps}")
        # Whatever does not fit is said now, not at the first frame.
        self.make_policy()
        self.make_detector()
        self.make_smoothing(1)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        labels: str | PathLike | Sequence[str] | None = None,
        fps: float | None = None,
        policy: str | dict | None = None,
        smoothing: float | None = None,
        events: dict | None = None,
    ) -> StreamOptions:
        """Read a config; what is given goes before its ``streaming`` dict.

        Raises:
            ValueError: The config does not fit.
        """
        settings = config.get("streaming") or {}

        def setting(name: str, given: Any, default: Any) -> Any:
            return settings.get(name, default) if given is None else given

        policy = setting("policy", policy, DEFAULT_POLICY)
        return cls(
            labels=find_labels(config, labels),
            clip_len=find_clip_len(find_test_pipeline(config)),
            # The default of LCRHead.
            consensus=config["model"]["cls_head"].get("consensus", "mean"),
            fps=setting("fps", fps, None),
            policy=policy if isinstance(policy, str) else dict(policy),
            smoothing=float(setting("smoothing", smoothing, DEFAULT_SMOOTHING)),
            events=dict(setting("events", events, {})),
            thin=bool(settings.get("thin", False)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; ``StreamOptions(**values)`` undoes it."""
        return asdict(self)

    def make_policy(self) -> Policy:
        """Make the policy, without streams."""
        return build_policy(self.policy, self.clip_len, self.labels)

    def make_detector(self, stream: int = 0) -> EventDetector:
        """Make the event detector of a stream."""
        return EventDetector(self.labels, stream=stream, **self.events)

    def make_smoothing(self, num_streams: int) -> Smoothing:
        """Make the average of probabilities ``[num_streams, K]``."""
        return Smoothing(self.smoothing, (num_streams, len(self.labels)))

    def make_mean(self, num_streams: int) -> RunningMean:
        """Make the mean over frames, of logits ``[num_streams, replicas, K]``."""
        policy = self.make_policy()
        factor = policy.average if self.consensus == "mean" else 0.0
        return RunningMean(factor, (num_streams, policy.replicas, len(self.labels)))
