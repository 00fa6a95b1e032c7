"""Fixtures: sound projects, to be spoilt one way per test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from mmengine.registry import init_default_scope
from spoilable_project import Project


@pytest.fixture(autouse=True)
def _as_a_runner_sets_up() -> None:
    init_default_scope("mmaction")
    # OpenCV's threads do not survive the fork into loader workers.
    cv2.setNumThreads(0)


@pytest.fixture(params=["video", "rawframe"])
def project(request, tmp_path: Path) -> Project:
    """A sound project, once of videos and once of JPEG frames."""
    return Project(tmp_path, request.param)


@pytest.fixture
def frame_project(tmp_path: Path) -> Project:
    """A sound project of JPEG frames."""
    return Project(tmp_path, "rawframe")


@pytest.fixture
def video_project(tmp_path: Path) -> Project:
    """A sound project of videos."""
    return Project(tmp_path, "video")


@pytest.fixture
def clip_file() -> Callable[[Project, int], Path]:
    """Return the function that finds the file of a clip to damage."""

    def find(project: Project, index: int, split: str = "train") -> Path:
        if project.kind == "video":
            return project.root / f"{split}{index}.mp4"
        return project.root / f"{split}{index}" / "00003.jpg"

    return find
