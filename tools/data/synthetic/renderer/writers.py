"""Write one clip to disk, whole or not at all."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

try:
    import av
except ImportError:
    av = None

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
    """Write an mp4: H.264 through PyAV, or MPEG-4 through OpenCV without PyAV.

    Args:
        clip: Frames `[H, W, 3]` uint8, blue-green-red; H and W even. Taken one by
            one, so a generator of any length will do.
        path: Where to; an existing file is replaced.
        fps: Frames per second.

    Raises:
        RuntimeError: The encoder could not be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _temporary(path)
    if av is not None:
        _encode_h264(clip, part, fps)
    else:
        _encode_mpeg4(clip, part, fps)
    part.replace(path)


def _encode_h264(clip: Iterable[np.ndarray], path: Path, fps: int) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(clip):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _encode_mpeg4(clip: Iterable[np.ndarray], path: Path, fps: int) -> None:
    warnings.warn(
        "PyAV is not installed: videos are written as MPEG-4 part 2 through OpenCV "
        "instead of H.264 (pip install av)",
        stacklevel=3,
    )
    writer = cv2.VideoWriter()
    for number, picture in enumerate(clip):
        if number == 0:
            height, width = picture.shape[:2]
            code = cv2.VideoWriter_fourcc(*"mp4v")
            if not writer.open(str(path), code, fps, (width, height)):
                raise RuntimeError(
                    f"OpenCV cannot encode {path}; install PyAV (pip install av)"
                )
        writer.write(picture)
    writer.release()
