"""Videos that we write, read back by an independent decoder."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from stream_cases import moving_square

from lcr_runtime.video.writer import VideoWriter


@pytest.mark.parametrize("fps", [4, 12.5, 30000 / 1001])
def test_frames_and_rate_come_back(tmp_path, fps):
    path, frames = tmp_path / "v.mp4", moving_square(12)
    with VideoWriter(path, fps) as video:
        for frame in frames:
            video.write(frame)
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(fps, rel=1e-4)
    for frame in frames:
        ok, read = capture.read()
        assert ok and np.abs(read[30, 5].astype(int) - frame[30, 5]).max() < 8
    assert not capture.read()[0]


def test_no_frames_make_no_file(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 10):
        pass
    assert not list(tmp_path.iterdir())


def test_frames_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(ValueError, match="fps must be above 0"):
        VideoWriter(tmp_path / "v.mp4", 0)
    with VideoWriter(tmp_path / "v.mp4", 10) as video:
        with pytest.raises(ValueError, match="even"):
            video.write(np.zeros((5, 6, 3), np.uint8))
        video.write(np.zeros((32, 32, 3), np.uint8))
        with pytest.raises(ValueError, match="64 x 32 after those of 32 x 32"):
            video.write(np.zeros((32, 64, 3), np.uint8))
