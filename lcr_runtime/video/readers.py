"""Opening a video with the decoder that a name stands for."""

from __future__ import annotations

import os

from .decord_reader import DecordReader
from .opencv_reader import OpenCVReader
from .pyav_reader import PyAVReader
from .reader import TIMEOUT, VideoReader

DECODERS: dict[str, type[VideoReader]] = {
    reader.decoder: reader for reader in (PyAVReader, OpenCVReader, DecordReader)
}


def open_video(
    path: str | os.PathLike[str], decoder: str = "pyav", timeout: float = TIMEOUT
) -> VideoReader:
    """Open a video file.

    Args:
        path: The file; for PyAV also the URL of one.
        decoder: A key of ``DECODERS``: ``'pyav'`` survives every file; ``'opencv'``
            and ``'decord'`` refuse what they would show wrongly, and decord can end
            the process on a damaged one.
        timeout: Seconds without a frame after which to give up.

    Raises:
        ValueError: There is no such decoder.
        FileNotFoundError: There is no such file.
        VideoError: It cannot be read; the message says why and what to do.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder={decoder!r} is unknown: choose one of {[*DECODERS]}")
    name = os.fspath(path)
    if "://" not in name and not os.path.isfile(name):
        raise FileNotFoundError(f"no video file at {name}")
    return DECODERS[decoder](name, timeout)
