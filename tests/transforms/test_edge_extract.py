"""EdgeExtract on frames of real decoders, and its error messages."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

import lcr_mmaction  # noqa: F401  (registers the transforms)
from lcr_mmaction.transforms import EDGE_METHODS, EdgeExtract, edge_map


def square_frame(shift: int = 0, size: int = 64) -> np.ndarray:
    """A bright square on a dark, slightly uneven ground."""
    frame = np.full((size, size, 3), 40, np.uint8)
    frame[:, : size // 2, 2] = 50
    frame[16:40, 10 + shift : 34 + shift] = (200, 180, 160)
    return frame


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("video") / "square.mp4")
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for shift in range(20):
            frame = av.VideoFrame.from_ndarray(square_frame(shift), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("decoder", ["Decord", "OpenCV", "PyAV"])
@pytest.mark.parametrize("crop", ["CenterCrop", "ThreeCrop"])
def test_stock_pipeline_gets_four_channels(video, decoder, crop):
    pipeline = Compose(
        [
            TRANSFORMS.build(step)
            for step in (
                dict(type=f"{decoder}Init"),
                dict(type="SampleFrames", clip_len=4, num_clips=2, test_mode=True),
                dict(type=f"{decoder}Decode"),
                dict(type="Resize", scale=(-1, 48)),
                dict(type="Flip", flip_ratio=1.0),
                dict(type=crop, crop_size=48),
                dict(type="EdgeExtract"),
                dict(type="FormatShape", input_format="NCTHW"),
                dict(type="PackActionInputs"),
            )
        ]
    )
    packed = pipeline(dict(filename=video, label=0, start_index=0, modality="RGB"))
    clips = packed["inputs"].numpy()
    crops = 3 if crop == "ThreeCrop" else 1
    assert clips.shape == (2 * crops, 4, 4, 48, 48)
    assert clips.dtype == np.uint8
    for clip in clips:
        for frame in clip.transpose(1, 2, 3, 0):
            rgb = np.ascontiguousarray(frame[..., :3])
            assert np.array_equal(frame[..., 3], edge_map(rgb))
            assert frame[..., 3].any()


def test_frames_are_kept_and_contiguous():
    mirrored = [square_frame(shift)[:, ::-1] for shift in range(3)]
    frames = EdgeExtract()(dict(imgs=mirrored))["imgs"]
    for before, after in zip(mirrored, frames, strict=True):
        assert np.array_equal(after[..., :3], before)
        assert after.flags.c_contiguous and after.dtype == np.uint8


@pytest.mark.parametrize("method", sorted(set(EDGE_METHODS) - {"none"}))
def test_edges_lie_on_the_square(method):
    edges = edge_map(square_frame(), method)
    assert edges.shape == (64, 64) and edges.dtype == np.uint8
    assert edges[15:17, 12:32].max(axis=0).all(), "top side not found"
    assert edges[20:36, 14:30].max() == 0, "edges inside the flat square"
    assert edges[50:].max() <= 10, "edges on the ground"


@pytest.mark.parametrize("method", sorted(EDGE_METHODS))
def test_flat_frames_have_no_edges(method):
    for value in (0, 128, 255):
        assert not edge_map(np.full((32, 32, 3), value, np.uint8), method).any()


def test_none_adds_zeros():
    frames = EdgeExtract("none")(dict(imgs=[square_frame()]))["imgs"]
    assert frames[0].shape == (64, 64, 4)
    assert not frames[0][..., 3].any()


def test_otsu_adapts_to_each_frame_where_fixed_thresholds_do_not():
    bright = square_frame()
    dim = (bright // 5).astype(np.uint8)
    assert not edge_map(dim, "canny").any()
    found, reference = edge_map(dim) > 0, edge_map(bright) > 0
    assert (found & reference).sum() > 0.8 * reference.sum()
    clip = EdgeExtract()(dict(imgs=[bright, dim]))["imgs"]
    assert np.array_equal(clip[1][..., 3], edge_map(dim))


def test_canny_otsu_is_canny_at_the_documented_thresholds():
    frame = cv2.GaussianBlur(square_frame(), (0, 0), 2)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    for ratio in (0.25, 0.5):
        expected = edge_map(frame, "canny", low=ratio * otsu, high=otsu)
        assert np.array_equal(edge_map(frame, low_ratio=ratio), expected)


@pytest.mark.parametrize("method", ["sobel", "laplacian"])
def test_a_black_white_step_gives_full_scale(method):
    step = np.zeros((16, 16, 3), np.uint8)
    step[:, 8:] = 255
    edges = edge_map(step, method)
    assert (edges[:, 7:9] == 255).all()
    assert not edges[:, :6].any() and not edges[:, 10:].any()


def test_red_and_blue_are_not_swapped():
    frame = np.zeros((16, 16, 3), np.uint8)
    frame[:, 8:, 0] = 255  # red weighs 0.299 in grey, blue 0.114
    assert abs(int(edge_map(frame, "sobel").max()) - 76) <= 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(method="prewitt"), ValueError, "'prewitt'.*canny_otsu.*none"),
        (dict(method="sobel", low=3), TypeError, "'sobel' has no option 'low'"),
        (dict(low_ratio=0), ValueError, r"low_ratio must lie in \(0, 1\], got 0"),
        (dict(method="canny", low=9, high=3), ValueError, "0 <= low <= high"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        EdgeExtract(**arguments)


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (np.zeros((8, 8), np.uint8), ValueError, "grey one of shape"),
        (np.zeros((8, 8, 1), np.uint8), ValueError, "grey one of shape"),
        (np.zeros((8, 8, 4), np.uint8), ValueError, "four channels.*only once"),
        (np.zeros((8, 8, 2), np.uint8), ValueError, r"got shape \(8, 8, 2\)"),
        (np.zeros((8, 8, 3), np.float32), TypeError, "got float32"),
        (None, TypeError, "got a NoneType"),
    ],
)
def test_bad_frames(frame, error, message):
    with pytest.raises(error, match=message) as caught:
        EdgeExtract()(dict(imgs=[square_frame(), frame], filename="a/clip.mp4"))
    assert "a/clip.mp4" in str(caught.value)


def test_frames_of_two_sizes():
    with pytest.raises(ValueError, match="different sizes"):
        EdgeExtract()(dict(imgs=[square_frame(), square_frame(size=80)]))


def test_no_frames():
    with pytest.raises(ValueError, match="empty list of frames of a.mp4"):
        EdgeExtract()(dict(imgs=[], filename="a.mp4"))
    with pytest.raises(KeyError, match="after the decoder"):
        EdgeExtract()(dict(filename="a.mp4"))


def test_after_format_shape():
    results = dict(imgs=[square_frame()] * 4, num_clips=1, clip_len=4)
    results = TRANSFORMS.build(dict(type="FormatShape", input_format="NCTHW"))(results)
    with pytest.raises(ValueError, match="move EdgeExtract before FormatShape"):
        EdgeExtract()(results)


def test_repr_names_the_settings():
    text = repr(EdgeExtract("canny", low=30, high=60))
    assert text == "EdgeExtract(method='canny', low=30, high=60)"
