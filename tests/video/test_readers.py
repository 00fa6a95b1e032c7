"""Every kind of file: the same upright pictures at the same times from all readers."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from av.codec.codec import UnknownCodecError
from video_files import ORIENTATIONS, Kind, write

from lcr_runtime.video import DECODERS, VideoError, open_video

BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2
VP9 = dict(codec="libvpx-vp9", options={"cpu-used": "8"})
SMALL_GROUPS = {"g": "4", "bf": "2"}

KINDS = [
    Kind("h264.mp4"),
    Kind("groups.mp4", count=30, options=SMALL_GROUPS),
    Kind("open_groups.mp4", count=30, options=SMALL_GROUPS | {"x264opts": "open-gop"}),
    Kind("h264.mkv", options=SMALL_GROUPS),
    Kind("h264.mov"),
    Kind("h264.avi", options=SMALL_GROUPS),
    Kind("h264.ts", options=SMALL_GROUPS),
    Kind("mpeg4.mp4", "mpeg4", options={"bf": "2"}),
    Kind("mpeg4.avi", "mpeg4", options={"bf": "2"}),
    Kind("mpeg2.mpg", "mpeg2video", rate=25),
    Kind("vp9.webm", **VP9),
    Kind("vp8.webm", "libvpx"),
    Kind(
        "vp8_hidden.webm",
        "libvpx",
        count=40,
        options={"auto-alt-ref": "1", "lag-in-frames": "16"},
    ),
    Kind("mjpeg.avi", "mjpeg", "yuvj420p"),
    Kind("av1.mp4", "libsvtav1", options={"preset": "12", "crf": "20"}),
    Kind("hevc.mp4", "libx265", options={"x265-params": "log-level=none:pools=1"}),
    Kind("fps4.mp4", rate=4),
    Kind("fps30.mp4", rate=30, count=40),
    Kind("variable.mp4", count=6, times=[0, 40, 90, 400, 440, 1500]),
    Kind("variable.mkv", count=6, times=[0, 40, 90, 400, 440, 1500]),
    Kind("late.mp4", count=6, times=[700, 800, 900, 1000, 1100, 1200]),
    Kind("one.mp4", count=1),
    Kind("odd.mp4", "mpeg4", size=(47, 63)),
    Kind("odd.webm", size=(47, 63), **VP9),
    Kind("narrow.mp4", size=(48, 72)),
    Kind("bt709.mp4", matrix=BT709, span=LIMITED),
    Kind("bt709_full.mp4", pixels="yuvj420p", matrix=BT709, span=FULL),
    Kind("bt601_full.mp4", pixels="yuvj420p", matrix=BT601, span=FULL),
    Kind("vp9_full.webm", matrix=BT709, span=FULL, **VP9),
    Kind("10bit.mp4", pixels="yuv420p10le"),
    Kind("444.mp4", pixels="yuv444p"),
    Kind("grey.mp4", pixels="gray"),
    Kind("grey_full.mkv", "ffv1", "gray", span=FULL),
    Kind("alpha.mkv", "ffv1", "yuva420p"),
    Kind("alpha.mov", "qtrle", "argb"),
    Kind("rgb.avi", "rawvideo", "bgr24"),
    *(
        Kind(f"turned_{name}.mp4", orientation=name, options=SMALL_GROUPS)
        for name in ORIENTATIONS
    ),
    Kind("turned_odd.mov", "mpeg4", size=(47, 63), orientation=90),
]
# What the others refuse, with a part of the reason. All else they read as PyAV does.
REFUSED = {
    "opencv": {"av1.mp4": "no frame", "vp9_full.webm": "colours"},
    "decord": {
        "av1.mp4": "",
        "h264.avi": "order",
        "h264.ts": "order",
        "mpeg2.mpg": "order",
        "mpeg4.avi": "order",
        "vp8.webm": "order",
        "vp8_hidden.webm": "order",
        "narrow.mp4": "",
        **{
            f"turned_{name}.mp4": "mirror"
            for name in ("mirror", "flip", "transpose", "anti-transpose")
        },
    },
}


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """Writes each kind of file once."""
    folder = tmp_path_factory.mktemp("videos")

    @functools.cache
    def of(name):
        kind = next(kind for kind in KINDS if kind.name == name)
        try:
            return write(kind, folder)
        except UnknownCodecError:
            pytest.skip(f"this PyAV has no {kind.codec}")

    return of


def difference(image, expected):
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    return np.abs(image.astype(int) - expected).mean()


def cases():
    for kind in KINDS:
        for decoder in DECODERS:
            yield pytest.param(kind, decoder, id=f"{kind.name}-{decoder}")


@pytest.mark.parametrize(("kind", "decoder"), cases())
def test_frames_and_times(file_of, kind, decoder):
    path = file_of(kind.name)
    reason = REFUSED.get(decoder, {}).get(kind.name)
    if reason is not None:
        with (
            pytest.raises(VideoError, match=f"{kind.name} cannot be .*{reason}.*pyav"),
            open_video(path, decoder) as reader,
        ):
            list(reader)
        return
    expected = kind.pictures()
    with open_video(path, decoder) as reader:
        assert len(reader) == kind.count
        assert reader.times == pytest.approx(kind.seconds(), abs=0.0015)
        frames = list(reader)
        assert [frame.time for frame in frames] == pytest.approx(reader.times)
        assert [frame.index for frame in frames] == list(range(kind.count))
        for frame, image in zip(frames, expected, strict=True):
            assert difference(frame.image, image) < kind.error
        # By number, in any order, and more than once.
        numbers = [*range(kind.count - 1, -1, -3), 0, kind.count - 1]
        for number, image in zip(numbers, reader.read(numbers), strict=True):
            assert np.array_equal(image, frames[number].image)
        for number in range(0, kind.count, 5):
            assert np.array_equal(reader.read([number])[0], frames[number].image)
    if decoder != "pyav":
        with open_video(path) as reader:
            for frame, other in zip(frames, reader, strict=True):
                assert difference(frame.image, other.image) < 3
