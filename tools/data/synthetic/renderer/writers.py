"""Write one clip to disk, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from lcr_runtime.video.writer import VideoWriter

FPS = 12
JPEG_QUALITY = 92


def _temporary(path: Path) -> Path:
    return path.with_name(f".part-{os.getpid()}-{path.name}")


def write_frames(clip: Iterable[np.ndarray], folder: Path) -> None:
    """Write `folder/00001.jpg` and so on.

    The folder appears under its name only when all frames are in it.

    Args:
        clip: Frames `[H, W, 3]` uint8, blue-green-red, taken one by one.
        folder: Where to; an existing folder is replaced.
    """
    part = _temporary(folder)
    part.mkdir(parents=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    for number, frame in enumerate(clip, start=1):
        _, data = cv2.imencode(".jpg", frame, options)
        (part / f"{number:05d}.jpg").write_bytes(data)
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)


def write_video(clip: Iterable[np.ndarray], path: Path, fps: int = FPS) -> None:
    """Write an mp4.

    Args:
        clip: Frames `[H, W, 3]` uint8, blue-green-red; H and W even. Taken one by
            one, so a generator of any length will do.
        path: Where to; an existing file is replaced.
        fps: Frames per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _temporary(path)
    with VideoWriter(part, fps) as video:
        for picture in clip:
            video.write(picture)
    part.replace(path)
