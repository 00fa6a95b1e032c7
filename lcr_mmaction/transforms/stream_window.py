"""Windows of continuous videos, with a target for every frame."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

# A target that the loss leaves out.
IGNORED = -1


@TRANSFORMS.register_module()
class SampleWindow(BaseTransform):
    """Sample frames at a fixed stride, as a stream gives them.

    The middle of the window falls on a random frame of the sample's gesture, so that
    windows begin and end anywhere: before, within or after it, or in a neighbour.

    Required keys: ``gesture``, ``total_frames``, ``start_index``. Added keys:
    ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Frames T of a window.
        frame_interval: Stride between them.
    """

    def __init__(self, clip_len: int, frame_interval: int = 1) -> None:
        self.clip_len = clip_len
        self.frame_interval = frame_interval

    def transform(self, results: dict) -> dict:
        """Choose the frames.

        Raises:
            ValueError: The video is shorter than a window.
        """
        span = (self.clip_len - 1) * self.frame_interval + 1
        spare = results["total_frames"] - span
        if spare < 0:
            raise ValueError(
                f"{results['frame_dir']} has {results['total_frames']} frames, but "
                f"clip_len={self.clip_len} at frame_interval={self.frame_interval} "
                f"needs {span}: render longer videos or sample shorter windows"
            )
        middle = np.random.randint(*results["gesture"])
        first = min(max(middle - span // 2, 0), spare)
        frames = first + np.arange(self.clip_len) * self.frame_interval
        results["frame_inds"] = frames + results["start_index"]
        results["clip_len"] = self.clip_len
        results["frame_interval"] = self.frame_interval
        results["num_clips"] = 1
        return results


@TRANSFORMS.register_module()
class FrameTargets(BaseTransform):
    """Make ``label`` the class of every sampled frame, from the timeline.

    A frame has the class of a gesture from the moment when it can be told until the
    hand is back at rest. Before the gesture's own movement begins there is nothing
    yet to see: that is background. In between, and for a moment after the end, any
    answer may be right: these frames are ignored.

    Comes after ``Flip``, which must not map labels itself: a mirrored window's
    classes are mapped here. Required keys: ``frame_inds``, ``start_index``,
    ``events``; optional: ``flip``. Modified key: ``label``, int64 ``[T]``.

    Args:
        background: Class of frames without a gesture.
        known_from: Share of a gesture's own movement, 0 to 1, after which it counts
            as known.
        fade: Frames of the video that are ignored after a gesture's end.
        flip_label_map: What a class becomes in a mirrored picture.

    Raises:
        ValueError: ``known_from`` or ``fade`` is out of range.
    """

    def __init__(
        self,
        background: int,
        known_from: float = 0.3,
        fade: int = 3,
        flip_label_map: dict[int, int] | None = None,
    ) -> None:
        if not 0 <= known_from <= 1 or fade < 0:
            raise ValueError(
                "FrameTargets needs 0 <= known_from <= 1 and fade >= 0, got "
                f"known_from={known_from}, fade={fade}"
            )
        self.background = background
        self.known_from = known_from
        self.fade = fade
        self.flip_label_map = dict(flip_label_map or {})

    def transform(self, results: dict) -> dict:
        """Look every frame up in the timeline."""
        frames = np.asarray(results["frame_inds"]) - results["start_index"]
        labels = np.full(len(frames), self.background, np.int64)
        for event in results["events"]:
            start, core_end = event["core_start_frame"], event["core_end_frame"]
            end, label = event["end_frame"], event["label"]
            if results.get("flip"):
                label = self.flip_label_map.get(label, label)
            known = start + self.known_from * (core_end - start)
            labels[(frames >= start) & (frames < end + self.fade)] = IGNORED
            labels[(frames >= known) & (frames < end)] = label
        results["label"] = labels
        return results
