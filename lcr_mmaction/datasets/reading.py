"""What the checked datasets share: presence checks and damaged clips."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmaction.datasets import BaseActionDataset
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from .annotations import ListFileError, summary


class DamagedClipError(ValueError):
    """A clip that cannot be decoded, or more of them than allowed."""


class MissingClipsError(FileNotFoundError):
    """Clips of a list file that are not, or not wholly, on disk."""


class CheckedReading(BaseActionDataset):
    """Mixin for MMAction2's datasets: look before training, name what fails.

    When the dataset is made, every listed clip is looked for on disk. While it
    is read, a clip that cannot be decoded is named in a warning, counted and
    replaced by another one in training; in validation and testing it is an
    error, since leaving it out would change the score.

    Args:
        max_damaged: Number of different damaged clips a training run may skip,
            per process group rank; one more is an error.
        check_files: Whether to look for every clip on disk at the start. Turn
            it off for storage that is not a local file system.
        **kwargs: The stock dataset's arguments.

    Raises:
        ListFileError: The list file is missing or has wrong lines.
        MissingClipsError: Clips are missing on disk.
        DamagedClipError: While reading, as said above.
    """

    def __init__(
        self, *args: Any, max_damaged: int = 10, check_files: bool = True, **kwargs: Any
    ) -> None:
        if kwargs.get("multi_class") and not kwargs.get("num_classes"):
            raise ValueError(
                f"{type(self).__name__} with multi_class=True needs num_classes, the "
                "length of a clip's row of labels."
            )
        self.max_damaged = max_damaged
        self.check_files = check_files
        super().__init__(*args, **kwargs)

    def fault_on_disk(self, info: dict) -> str | None:
        """Return what is wrong with the listed clip's files, None if nothing."""
        raise NotImplementedError

    def fault_in_files(self, results: dict, thorough: bool) -> str | None:
        """Return what is wrong with the sampled files, None if nothing is found.

        Args:
            results: The pipeline's dict, with ``frame_inds``.
            thorough: Whether decoding failed, so that time matters no more.
        """
        return None

    def full_init(self) -> None:
        """Load the list and look for its clips."""
        if self._fully_initialized:
            return
        super().full_init()
        self._forget_damage()
        if self.multi_class:
            self._check_many_labels()
        if self.check_files:
            self._look_for_clips()

    def _check_many_labels(self) -> None:
        """Check the range, on which making rows of labels would fail without a word."""
        faults = [
            f"{info.get('filename') or info['frame_dir']} has label {label}"
            for info in map(self._listed, range(len(self)))
            for label in info["label"]
            if label >= self.num_classes
        ]
        if faults:
            raise ListFileError(
                f"{self.ann_file} has labels that num_classes = {self.num_classes} "
                f"does not reach:\n{summary(faults)}"
            )

    def _listed(self, index: int) -> dict:
        """What the list says of a clip, with its labels as numbers."""
        return BaseDataset.get_data_info(self, index)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes of a clip, by which ``ClassBalancedDataset`` repeats it.

        Args:
            idx: Index of the clip.
        """
        label = self._listed(idx)["label"]
        return list(label) if self.multi_class else [label]

    def get_subset_(self, indices: list[int] | int) -> None:
        """Keep some clips alone, by index."""
        super().get_subset_(indices)
        self._forget_damage()

    def get_subset(self, indices: list[int] | int) -> CheckedReading:
        """Return a dataset of some clips alone, by index."""
        subset = super().get_subset(indices)
        subset._forget_damage()
        return subset

    def _forget_damage(self) -> None:
        # In shared memory, so that all loader workers count together.
        self._damaged = torch.zeros(len(self), dtype=torch.bool).share_memory_()

    def _look_for_clips(self) -> None:
        infos = (self.get_data_info(index) for index in range(len(self)))
        faults = [fault for info in infos if (fault := self.fault_on_disk(info))]
        if faults:
            raise MissingClipsError(
                f"{len(faults)} of the {len(self)} clips in {self.ann_file} cannot "
                f"be used:\n{summary(faults)}\nCheck data_root and data_prefix, "
                "complete the data, or take these lines out of the list."
            )

    def prepare_data(self, idx: int) -> dict | None:
        """Run the pipeline on one clip.

        Args:
            idx: Index of the clip.

        Returns:
            What the pipeline returns; None for a damaged clip in training, on
            which MMEngine draws another one.

        Raises:
            DamagedClipError: The clip is damaged, and this is not training or
                there have been more than ``max_damaged``.
        """
        results = self.get_data_info(idx)
        clip = results.get("filename") or results["frame_dir"]
        has_frames = False
        for transform in self.pipeline.transforms:
            try:
                returned = transform(results)
            except (ImportError, MemoryError):
                raise
            except Exception as error:
                if has_frames:  # the pipeline is at fault, not the clip
                    raise
                reason = self._fault(results, True) or _first_line(error)
                self._damaged_clip(idx, clip, reason, error)
                return None
            if returned is None:
                return None
            results = returned
            if not has_frames and "imgs" in results:
                has_frames = True
                if fault := self._fault(results, False):
                    self._damaged_clip(idx, clip, fault, None)
                    return None
        return results

    def _fault(self, results: dict, thorough: bool) -> str | None:
        """Return what is wrong with what has been read so far."""
        if results.get("total_frames", 1) < 1:
            return "the decoder finds no frames, or no count of them in the file"
        if "frame_inds" in results:
            return self.fault_in_files(results, thorough)
        return None

    def _damaged_clip(
        self, idx: int, clip: str, fault: str, error: Exception | None
    ) -> None:
        """Count it, and warn or raise."""
        if self.test_mode:
            raise DamagedClipError(
                f"Cannot read {clip}: {fault}. It is not skipped, because that "
                "would change the score: mend it or take it out of "
                f"{self.ann_file}. {_ADVICE}"
            ) from error
        is_new = not self._damaged[idx]
        self._damaged[idx] = True
        count = int(self._damaged.sum())
        if count > self.max_damaged or count == len(self):
            raise DamagedClipError(
                f"Cannot read {clip}: {fault}. That makes {count} damaged clips of "
                f"{len(self)} in {self.ann_file}; max_damaged = {self.max_damaged}. "
                f"Mend them or take them out of the list. {_ADVICE}"
            ) from error
        if is_new:
            print_log(
                f"Skipping damaged clip {clip}: {fault} ({count} so far, "
                f"max_damaged = {self.max_damaged}).",
                logger="current",
                level=logging.WARNING,
            )
        return None


_ADVICE = (
    "tools/data/custom/scan_videos.py lists all damaged videos; some that other "
    "decoders fail on, VideoInit and VideoDecode read."
)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
