"""Video files of all kinds, written by PyAV, and the pictures that went into them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# a, b, c, d of a display matrix, and how an upright picture is stored with it.
ORIENTATIONS = {
    0: ((1, 0, 0, 1), lambda x: x),
    90: ((0, 1, -1, 0), lambda x: np.rot90(x, 1)),
    180: ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    270: ((0, -1, 1, 0), lambda x: np.rot90(x, 3)),
    "mirror": ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
    "flip": ((1, 0, 0, -1), lambda x: x[::-1]),
    "transpose": ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
    "anti-transpose": ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
}


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Smooth, coloured RGB pictures without symmetry, each one unlike the others."""
    y, x = np.mgrid[0:height, 0:width]
    made = []
    for t in range(count):
        image = np.empty((height, width, 3), np.uint8)
        image[..., 0] = 60 + 150 * x // width
        image[..., 1] = 60 + 150 * y // height
        image[..., 2] = 40 + 12 * t % 180
        image[: height // 3, : width // 3] = (210, 50, 50)
        image[-height // 4 :, : width // 4] = (50, 60, 200)
        made.append(image)
    return made


@dataclass
class Kind:
    """How a file is written.

    Attributes:
        name: Of the file; its suffix chooses the container.
        codec: Name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        count: Frames.
        size: Height and width of the upright pictures.
        rate: Nominal frames per second.
        times: Milliseconds of each frame, for a variable rate.
        orientation: Key of ``ORIENTATIONS``.
        matrix: AVColorSpace: 1 is BT.709, 5 is BT.601; None names none.
        span: AVColorRange: 1 is limited, 2 is full; None names none.
        options: Of the encoder.
        container: Options of the container.
        error: Mean difference that the coding may make, in grey levels.
    """

    name: str
    codec: str = "libx264"
    pixels: str = "yuv420p"
    count: int = 12
    size: tuple[int, int] = (48, 64)
    rate: int = 10
    times: Sequence[int] | None = None
    orientation: int | str = 0
    matrix: int | None = None
    span: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    error: float = 4.0

    @property
    def grey(self) -> bool:
        """Whether it has no colours."""
        return self.pixels.startswith("gray")

    def seconds(self) -> list[float]:
        """When each frame is shown."""
        if self.times is not None:
            return [(time - self.times[0]) / 1000 for time in self.times]
        return [number / self.rate for number in range(self.count)]

    def pictures(self) -> list[np.ndarray]:
        """What the frames show, upright."""
        made = pictures(self.count, *self.size)
        return [grey_of(image) for image in made] if self.grey else made


def grey_of(image: np.ndarray) -> np.ndarray:
    """A picture without its colours, ``H x W x 3``."""
    grey = (image @ [0.299, 0.587, 0.114]).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def write(kind: Kind, folder: Path, frames: Sequence[np.ndarray] | None = None) -> str:
    """Write a file.

    Args:
        kind: How.
        folder: Where.
        frames: RGB, upright; the kind's own by default.

    Raises:
        ValueError: This PyAV has no such encoder (``UnknownCodecError``).
    """
    path = folder / kind.name
    matrix, stored = ORIENTATIONS[kind.orientation]
    frames = [np.ascontiguousarray(stored(x)) for x in frames or kind.pictures()]
    with av.open(str(path), "w", options=kind.container) as container:
        stream = container.add_stream(kind.codec, rate=kind.rate, options=kind.options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = kind.pixels
        if "crf" not in kind.options:
            stream.bit_rate = 4_000_000
        stream.thread_count = 1
        unit = Fraction(1, kind.rate if kind.times is None else 1000)
        stream.codec_context.time_base = unit
        if kind.matrix is not None:
            stream.codec_context.colorspace = kind.matrix
        if kind.span is not None:
            stream.codec_context.color_range = kind.span
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if kind.grey:
                # FFmpeg makes full-range grey of RGB, whatever one asks.
                grey = grey_of(image)[..., 0] * (1 if kind.span == 2 else 219 / 255)
                grey = (grey + (0 if kind.span == 2 else 16)).round().astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="gray")
            else:
                frame = frame.reformat(
                    format=kind.pixels,
                    dst_colorspace=kind.matrix,
                    dst_color_range=kind.span,
                )
            if kind.matrix is not None:
                frame.colorspace = kind.matrix
            if kind.span is not None:
                frame.color_range = kind.span
            frame.pts = number if kind.times is None else kind.times[number]
            frame.time_base = unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if kind.orientation:
        set_display_matrix(path, matrix)
    return str(path)


def set_display_matrix(path: Path, matrix: tuple[float, float, float, float]) -> None:
    """Write a, b, c, d into the track header of an mp4 or mov."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes
    a, b, c, d = (round(x * 65536) for x in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
