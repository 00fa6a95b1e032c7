"""A frame of a stream becomes what MMAction2's test pipeline makes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from stream_cases import moving_square, write_video

from lcr_mmaction.streaming.pipeline import FramePreprocessor, normalise
from lcr_runtime.preprocess import (
    PlainPreprocessor,
    find_clip_len,
    find_test_pipeline,
    frame_steps,
)
from lcr_runtime.video import open_video

NORMALISER = dict(
    type="ActionDataPreprocessor",
    mean=[123.675, 116.28, 103.53, 0],
    std=[58.395, 57.12, 57.375, 255],
    format_shape="NCTHW",
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("mmaction")


def clip_of_pipeline(pipeline, video):
    packed = Compose(pipeline)(
        dict(filename=video, label=-1, start_index=0, modality="RGB")
    )
    return packed["inputs"]


def pipeline_with(*geometry, decode=("VideoInit", "VideoDecode")):
    return [
        dict(type=decode[0]),
        dict(type="SampleFrames", clip_len=8, num_clips=1, test_mode=True),
        dict(type=decode[1]),
        *geometry,
        dict(type="FormatShape", input_format="NCTHW"),
        dict(type="PackActionInputs"),
    ]


GEOMETRIES = {
    "resize short side and crop": [
        dict(type="Resize", scale=(-1, 40)),
        dict(type="CenterCrop", crop_size=32),
        dict(type="EdgeExtract"),
    ],
    "resize to a fixed size": [
        dict(type="Resize", scale=(48, 32), keep_ratio=False, interpolation="area"),
        dict(type="EdgeExtract", method="sobel"),
    ],
    "edges before the crop": [
        dict(type="EdgeExtract", method="canny", low=50, high=120),
        dict(type="CenterCrop", crop_size=32),
    ],
    "no edges": [dict(type="Resize", scale=(32, 32), keep_ratio=False)],
}


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_frames_equal_the_pipelines_clip(video, geometry, order):
    pipeline = pipeline_with(*geometry)
    clip = clip_of_pipeline(pipeline, video)
    preprocess = FramePreprocessor(pipeline)
    with open_video(video) as reader:
        frames = reader.read(range(8))
    for t, frame in enumerate(frames):
        if order == "bgr":
            frame = np.ascontiguousarray(frame[..., ::-1])
        picture = preprocess(frame, order)
        expected = clip[0, :, t].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(
    "geometry",
    [
        *GEOMETRIES.values(),
        [dict(type="mmaction.Resize", scale=(40, 30)), dict(type="EdgeExtract")],
        [dict(type="Resize", scale=0.7), dict(type="CenterCrop", crop_size=(40, 30))],
    ],
)
@pytest.mark.parametrize("shape", [(60, 100), (97, 71)])
def test_opencv_alone_gives_the_same_pixels(geometry, shape):
    pipeline = pipeline_with(*geometry)
    frame = moving_square(1, *shape)[0]
    for order in ("bgr", "rgb"):
        expected = FramePreprocessor(pipeline)(frame, order)
        picture = PlainPreprocessor(frame_steps(pipeline))(frame, order)
        np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (dict(type="ThreeCrop", crop_size=4), ValueError, "ThreeCrop needs MMAction2"),
        (dict(type="EdgeExtract", method="prewitt"), ValueError, "'prewitt'"),
        (dict(type="EdgeExtract", high=3), TypeError, "'high'"),
        (dict(type="Resize", scale=(4, 4), lazy=True), TypeError, "lazy"),
    ],
)
def test_what_opencv_alone_cannot_do_is_named(step, error, message):
    with pytest.raises(error, match=message):
        PlainPreprocessor([step])


def test_normalised_frames_equal_the_preprocessors_clip(video):
    from mmaction.registry import MODELS

    pipeline = pipeline_with(*GEOMETRIES["resize short side and crop"])
    normaliser = MODELS.build(NORMALISER)
    inputs = [clip_of_pipeline(pipeline, video)]
    clip = normaliser(dict(inputs=inputs, data_samples=None))["inputs"][0]
    preprocess = FramePreprocessor(pipeline)
    with open_video(video) as reader:
        pictures = [preprocess(frame, "rgb") for frame in reader.read(range(8))]
    steps = normalise(normaliser, pictures)
    torch.testing.assert_close(steps, clip[0].transpose(0, 1), atol=0, rtol=0)


def test_pipeline_is_found_where_configs_keep_it():
    steps = pipeline_with()
    inside = Config(dict(test_dataloader=dict(dataset=dict(pipeline=steps))))
    assert find_test_pipeline(inside) == steps
    assert find_clip_len(steps) == 8
    with pytest.raises(ValueError, match="neither test_pipeline nor"):
        find_test_pipeline(Config(dict()))


@pytest.mark.parametrize(
    "transform",
    [
        dict(type="ThreeCrop", crop_size=360),
        dict(type="RandomResizedCrop"),
        dict(type="TubeMask", mask_ratio=0.5, patch_size=8),
    ],
    ids=lambda transform: transform["type"],
)
def test_transforms_that_are_not_per_frame_are_refused(transform):
    with pytest.raises(ValueError, match=transform["type"]):
        FramePreprocessor(pipeline_with(transform))


def test_pipeline_without_decoder_is_refused():
    with pytest.raises(ValueError, match="a decoder and FormatShape"):
        FramePreprocessor([dict(type="EdgeExtract")])


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (np.zeros((40, 60), np.uint8), ValueError, "GRAY2BGR"),
        (np.zeros((40, 60, 4), np.uint8), ValueError, r"\(40, 60, 4\)"),
        (np.zeros((0, 60, 3), np.uint8), ValueError, "H x W x 3"),
        (np.zeros((40, 60, 3), np.float32), TypeError, "float32"),
        ([[0]], TypeError, "list"),
    ],
)
def test_bad_frames_are_named(frame, error, message):
    preprocess = FramePreprocessor(pipeline_with())
    with pytest.raises(error, match=message):
        preprocess(frame)


def test_unknown_channel_order_is_refused():
    preprocess = FramePreprocessor(pipeline_with())
    with pytest.raises(ValueError, match="'yuv'"):
        preprocess(np.zeros((40, 60, 3), np.uint8), "yuv")


def test_frames_of_different_size_do_not_make_a_batch(tmp_path):
    from mmaction.registry import MODELS

    pictures = [np.zeros((32, 32, 4), np.uint8), np.zeros((32, 48, 4), np.uint8)]
    with pytest.raises(ValueError, match="one size"):
        normalise(MODELS.build(NORMALISER), pictures)


def test_opencv_decoding_gives_the_same(tmp_path):
    """The order that OpenCV's decoder needs is the one cameras give."""
    import cv2

    video = write_video(tmp_path / "v.mp4", moving_square(8))
    pipeline = pipeline_with(
        *GEOMETRIES["resize to a fixed size"], decode=("OpenCVInit", "OpenCVDecode")
    )
    clip = clip_of_pipeline(pipeline, video)
    preprocess = FramePreprocessor(pipeline)
    capture = cv2.VideoCapture(video)
    for t in range(8):
        ok, frame = capture.read()
        assert ok
        expected = clip[0, :, t].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(preprocess(frame, "bgr"), expected)
