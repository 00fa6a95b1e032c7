"""The two stock datasets of video clips, with checks."""

from __future__ import annotations

import os
import os.path as osp

import cv2
import numpy as np
from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS

from .annotations import read_list
from .reading import CheckedReading

# A whole JPEG ends with this marker, which compressed data cannot contain; some
# writers pad after it.
_JPEG_END = b"\xff\xd9"
_JPEG_TAIL = 4096


@DATASETS.register_module()
class CheckedVideoDataset(CheckedReading, VideoDataset):
    """``VideoDataset`` that names bad lines, missing and damaged videos.

    Takes all arguments of ``VideoDataset`` and those of
    :class:`~lcr_mmaction.datasets.reading.CheckedReading`. List lines read
    ``<path> <label>``; paths may contain spaces. With ``multi_class`` a line has any
    number of labels, and paths contain no ``delimiter``.
    """

    def load_data_list(self) -> list[dict]:
        """Read the list file."""
        delimiter = None if self.delimiter == " " else self.delimiter
        prefix = self.data_prefix["video"] or ""
        rows = read_list(self.ann_file, ("label",), delimiter, self.multi_class)
        return [
            dict(filename=osp.join(prefix, path), label=label) for path, label in rows
        ]

    def fault_on_disk(self, info: dict) -> str | None:
        """Return what is wrong with the video file, None if nothing."""
        path = info["filename"]
        if not osp.splitext(path)[1]:
            path += ".mp4"  # as DecordInit does
        if not osp.isfile(path):
            return f"{path}: no such file"
        # In training an empty file is a damaged clip like others.
        if self.test_mode and osp.getsize(path) == 0:
            return f"{path}: empty file"
        return None


@DATASETS.register_module()
class CheckedRawframeDataset(CheckedReading, RawframeDataset):
    """``RawframeDataset`` that names bad lines, missing and damaged frames.

    Takes all arguments of ``RawframeDataset`` and those of
    :class:`~lcr_mmaction.datasets.reading.CheckedReading`. List lines read
    ``<folder> <total_frames> <label>``, with ``with_offset`` ``<folder> <offset>
    <total_frames> <label>``; paths may contain spaces. With ``multi_class`` a line
    has any number of labels, and paths contain no spaces. Frames are RGB images;
    JPEGs cut short are found by their missing end marker.
    """

    def load_data_list(self) -> list[dict]:
        """Read the list file."""
        columns = ("offset", "total_frames", "label")[0 if self.with_offset else 1 :]
        prefix = self.data_prefix["img"] or ""
        return [
            dict(
                frame_dir=osp.join(prefix, path), **dict(zip(columns, row, strict=True))
            )
            for path, *row in read_list(
                self.ann_file, columns, many_labels=self.multi_class
            )
        ]

    def fault_on_disk(self, info: dict) -> str | None:
        """Return what is wrong with the frame folder, None if nothing."""
        folder = info["frame_dir"]
        try:
            present = set(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return f"{folder}: no such folder"
        first = info["start_index"] + info.get("offset", 0)
        names = map(
            self.filename_tmpl.format, range(first, first + info["total_frames"])
        )
        missing = [name for name in names if name not in present]
        if missing:
            return (
                f"{folder}: {len(missing)} of the {info['total_frames']} listed "
                f"frames missing, the first is {missing[0]}"
            )
        return None

    def fault_in_files(self, results: dict, thorough: bool) -> str | None:
        """Return the first sampled frame file that is damaged and why."""
        sizes = {image.shape[:2] for image in results.get("imgs", ())}
        if len(sizes) > 1:
            return f"its frames differ in size (height, width): {sorted(sizes)}"
        for index in np.unique(results["frame_inds"]):
            name = self.filename_tmpl.format(index + results.get("offset", 0))
            path = osp.join(results["frame_dir"], name)
            if fault := _file_fault(path):
                return f"{name} {fault}"
            if thorough and cv2.imread(path) is None:
                return f"{name} cannot be decoded"
        return None


def _file_fault(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return "is empty"
            if not path.lower().endswith((".jpg", ".jpeg")):
                return None
            file.seek(max(0, size - _JPEG_TAIL))
            return None if _JPEG_END in file.read() else "is truncated or no JPEG"
    except FileNotFoundError:
        return "is missing"
