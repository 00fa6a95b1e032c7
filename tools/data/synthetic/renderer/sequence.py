"""Join gestures to one continuous motion, with idling between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cases import CASES, Case
from .gestures import perform
from .motion import Motion, blend, ease, wander
from .person import Person

ORDINARY = CASES["ordinary"]


@dataclass(frozen=True)
class Event:
    """One gesture in a continuous motion; frames count from 0, ends are exclusive.

    Attributes:
        label: Class index into :data:`.classes.CLASSES`.
        start_frame: The hand leaves its rest.
        end_frame: The hand is back at rest.
        core_start_frame: The gesture's own movement begins.
        core_end_frame: The gesture's own movement is over.
    """

    label: int
    start_frame: int
    end_frame: int
    core_start_frame: int
    core_end_frame: int

    def at_rate(self, factor: float) -> Event:
        """The same event where there are `factor` times as many frames."""
        frames = {
            name: value if name == "label" else round(value * factor)
            for name, value in vars(self).items()
        }
        return Event(**frames)


def _idle(
    before: Motion | None,
    after: Motion | None,
    frames: int,
    rng: np.random.Generator,
) -> Motion:
    """From the end of one gesture to the start of the next, hand low or unseen."""
    first = before[-1:] if before is not None else after[:1]
    last = after[:1] if after is not None else before[-1:]
    # Frame numbers exclude both neighbours: nothing stands still at the joints.
    way = (np.arange(frames) + 1.0) / (frames + 1.0)
    weight = ease(way)
    wrist = blend(first.wrist, last.wrist, weight)
    if rng.random() < 0.3:  # fidget at the lower edge of the picture
        wrist[:, 1] -= rng.uniform(0.1, 0.3) * np.sin(np.pi * way)
    wrist += 0.01 * np.sin(np.pi * way)[:, None] * wander(rng, frames, 3)
    # The hand changes sides, if it does, out of sight: a lift would be seen.
    if first.mirror[0] != last.mirror[0]:
        wrist[:, 1] = np.maximum(wrist[:, 1], 0.95)
    mirror = np.where(way < 0.5, first.mirror[0], last.mirror[0])
    return Motion(
        wrist=wrist,
        angles=blend(first.angles, last.angles, weight),
        pose=blend(first.pose, last.pose, weight),
        mirror=mirror,
    )


def draw_sequence(
    labels: list[int],
    person: Person,
    rng: np.random.Generator,
    mean_frames: float,
    mean_gap: float,
    case: Case = ORDINARY,
) -> tuple[Motion, list[Event]]:
    """Perform several gestures one after the other.

    Args:
        labels: The gestures in order, at least one.
        person: Who performs.
        rng: Source of randomness.
        mean_frames: Mean length of a gesture from rest to rest, in frames; lengths
            vary by a quarter either way.
        mean_gap: Mean idle time before, between and after gestures, in frames, at
            least 2; gaps vary by half either way.
        case: How the gestures differ from ordinary ones.

    Returns:
        The motion and one event per gesture.

    Raises:
        ValueError: No labels, or lengths too short.
    """
    if not labels:
        raise ValueError("labels is empty: a sequence needs at least one gesture")
    if mean_frames < 8 or mean_gap < 2:
        raise ValueError(
            f"mean_frames = {mean_frames}, mean_gap = {mean_gap}: expected at least 8 "
            "and 2"
        )
    mean_frames *= case.pace
    played = [
        perform(label, person, rng, round(mean_frames * rng.uniform(0.75, 1.25)), True)
        for label in labels
    ]
    changed = [case.change(motion, phases.core, rng) for motion, phases in played]
    motions = [motion for motion, _ in changed]
    parts: list[Motion] = []
    events: list[Event] = []
    now = 0
    neighbours = zip([None, *motions], [*motions, None], strict=True)
    for number, (before, after) in enumerate(neighbours):
        idle = case.idle(number, mean_gap, rng)
        parts.append(_idle(before, after, idle, rng))
        now += idle
        if after is None:
            break
        core = changed[number][1]
        events.append(
            Event(
                label=labels[number],
                start_frame=now,
                end_frame=now + len(after),
                core_start_frame=now + core[0],
                core_end_frame=now + core[1],
            )
        )
        parts.append(after)
        now += len(after)
    return Motion.join(parts), events
