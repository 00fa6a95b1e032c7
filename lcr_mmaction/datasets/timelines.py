"""Continuous videos with a timeline, one sample for every gesture in them."""

from __future__ import annotations

import json
import os.path as osp
from glob import glob

from mmaction.registry import DATASETS

from .annotations import ListFileError
from .checked import CheckedRawframeDataset

_FIELDS = ("label", "start_frame", "end_frame", "core_start_frame", "core_end_frame")


@DATASETS.register_module()
class TimelineDataset(CheckedRawframeDataset):
    """Gestures within continuous videos, whose frames lie in folders.

    Takes the arguments of :class:`.checked.CheckedRawframeDataset`, but ``ann_file``
    is a folder of timelines, ``NAME.json`` beside the frames in ``NAME/`` under
    ``data_prefix['img']``: as ``render_stream.py --format frames`` writes them. A
    timeline has ``num_frames`` and ``events`` with ``label`` and the frames
    ``start_frame``, ``end_frame``, ``core_start_frame`` and ``core_end_frame``,
    counted from 0, ends exclusive; and may have ``fps``, which samples then have too.

    A sample's ``label`` is the gesture's class, ``gesture`` its ``(start, end)`` and
    ``events`` all events of the video, for
    :class:`~lcr_mmaction.transforms.SampleWindow` and
    :class:`~lcr_mmaction.transforms.FrameTargets`.

    Raises:
        ListFileError: There is no timeline, or one cannot be read.
    """

    def load_data_list(self) -> list[dict]:
        """Read the timelines."""
        paths = sorted(glob(osp.join(self.ann_file, "*.json")))
        if not paths:
            raise ListFileError(
                f"No timeline (*.json) in {self.ann_file}: tools/data/synthetic/"
                "render_stream.py --format frames renders videos with timelines."
            )
        return [sample for path in paths for sample in self._samples(path)]

    def _samples(self, path: str) -> list[dict]:
        name = osp.splitext(osp.basename(path))[0]
        try:
            with open(path, encoding="utf-8") as file:
                timeline = json.load(file)
            events = [
                {field: int(event[field]) for field in _FIELDS}
                for event in timeline["events"]
            ]
            frames = int(timeline["num_frames"])
            rate = {"fps": float(timeline["fps"])} if "fps" in timeline else {}
        except (KeyError, TypeError, ValueError) as error:
            raise ListFileError(
                f"{path} is no timeline with num_frames and events of "
                f"{', '.join(_FIELDS)}: {type(error).__name__}: {error}"
            ) from error
        return [
            dict(
                frame_dir=osp.join(self.data_prefix["img"] or "", name),
                total_frames=frames,
                label=event["label"],
                gesture=(event["start_frame"], event["end_frame"]),
                events=events,
                **rate,
            )
            for event in events
        ]
