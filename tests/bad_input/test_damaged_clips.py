"""Clips that exist but cannot be decoded: named, counted, skipped up to a limit."""

from __future__ import annotations

import logging

import av
import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.logging import MMLogger
from spoilable_project import write_video
from torch.utils.data import DataLoader

from lcr_mmaction.datasets import DamagedClipError

DAMAGES = {
    "zero-byte": lambda data: b"",
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
    "truncated": lambda data: data[: len(data) * 6 // 10],
    "damaged": lambda data: data[: len(data) // 3] + bytes(len(data) * 2 // 3),
}


def all_frames(config: dict) -> dict:
    """Sample every frame, so that the damaged one is among them."""
    for step in config["pipeline"]:
        if step["type"] == "SampleFrames":
            step["clip_len"] = 8
    return config


@pytest.fixture(params=DAMAGES)
def damaged(request, project, clip_file):
    """A project whose training clip 2 and validation clip 1 are damaged."""
    for path in (clip_file(project, 2), clip_file(project, 1, "val")):
        path.write_bytes(DAMAGES[request.param](path.read_bytes()))
    return project


@pytest.fixture
def log():
    """What is logged while the test runs."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_training_names_counts_and_skips_it(damaged, log):
    dataset = DATASETS.build(all_frames(damaged.dataset("train")))
    for _ in range(3):  # three epochs
        for index in range(len(dataset)):
            assert dataset[index]["inputs"].shape == (1, 4, 8, 32, 32)
    warnings = [line for line in log if "Skipping damaged clip" in line]
    assert len(warnings) == 1, "one warning per damaged clip"
    assert "train2" in warnings[0] and "1 so far" in warnings[0]


def test_validation_refuses_it(damaged):
    # An empty video is found at once, the others when they are read.
    with pytest.raises((DamagedClipError, FileNotFoundError), match="val1"):
        list(DATASETS.build(all_frames(damaged.dataset("val"))))


def test_the_damaged_frame_is_named(frame_project, clip_file):
    for damage in DAMAGES.values():
        path = clip_file(frame_project, 1, "val")
        original = path.read_bytes()
        path.write_bytes(damage(original))
        dataset = DATASETS.build(all_frames(frame_project.dataset("val")))
        with pytest.raises(DamagedClipError, match="val1: 00003.jpg is"):
            dataset[1]
        path.write_bytes(original)


def test_a_jpeg_with_a_whole_frame_around_rubbish(frame_project, clip_file):
    path = clip_file(frame_project, 1, "val")
    path.write_bytes(b"\xff\xd8" + bytes(500) + b"\xff\xd9")
    dataset = DATASETS.build(all_frames(frame_project.dataset("val")))
    with pytest.raises(DamagedClipError, match="val1: 00003.jpg cannot be decoded"):
        dataset[1]


def test_padding_after_a_jpeg_is_no_damage(frame_project, clip_file):
    path = clip_file(frame_project, 1, "val")
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert DATASETS.build(all_frames(frame_project.dataset("val")))[1]


def test_more_than_the_limit_stops_training(project, clip_file):
    for index in (1, 3, 4):
        clip_file(project, index).write_bytes(b"")
    dataset = DATASETS.build(all_frames(project.dataset("train", max_damaged=2)))
    with pytest.raises(DamagedClipError, match="3 damaged clips of 6.*max_damaged = 2"):
        list(dataset)
    dataset = DATASETS.build(all_frames(project.dataset("train", max_damaged=3)))
    assert len(list(dataset)) == 6


def test_no_sound_clip_left(project, clip_file):
    for index in range(6):
        clip_file(project, index).write_bytes(b"")
    dataset = DATASETS.build(all_frames(project.dataset("train")))
    with pytest.raises(DamagedClipError, match="6 damaged clips of 6"):
        list(dataset)


def test_loader_workers_count_together(project, clip_file):
    for index in (0, 1):
        clip_file(project, index).write_bytes(b"")
    dataset = DATASETS.build(all_frames(project.dataset("train", max_damaged=2)))
    # Either of two workers meets one damaged clip, this process a third.
    loader = DataLoader(dataset, sampler=[0, 1], num_workers=2, collate_fn=list)
    assert len(list(loader)) == 2
    clip_file(project, 2).write_bytes(b"")
    with pytest.raises(DamagedClipError, match="3 damaged clips of 6"):
        dataset[2]


def test_a_faulty_pipeline_is_no_damaged_clip(project):
    config = project.dataset("train")
    kinds = [step["type"] for step in config["pipeline"]]
    edge, shape = kinds.index("EdgeExtract"), kinds.index("FormatShape")
    steps = config["pipeline"]
    steps[edge], steps[shape] = steps[shape], steps[edge]
    with pytest.raises(ValueError, match="move EdgeExtract before FormatShape") as info:
        DATASETS.build(config)[0]
    assert not isinstance(info.value, DamagedClipError)


def test_one_frame_clips_work(project, clip_file):
    if project.kind == "video":
        write_video(clip_file(project, 0), num_frames=1)
    else:
        project.write_list("train", ["train0 1 0"])
    clip = DATASETS.build(project.dataset("train"))[0]["inputs"]
    assert clip.shape == (1, 4, 4, 32, 32)
    assert (clip == clip[:, :, :1]).all(), "the one frame is repeated"


def test_grey_jpegs_are_read_as_rgb(frame_project):
    for step in range(1, 9):
        path = str(frame_project.root / "train0" / f"{step:05}.jpg")
        cv2.imwrite(path, cv2.imread(path, cv2.IMREAD_GRAYSCALE))
    clip = DATASETS.build(frame_project.dataset("train"))[0]["inputs"][0]
    assert (clip[0] == clip[1]).all() and (clip[0] == clip[2]).all()


def test_a_width_decord_cannot_read_is_named_with_the_way_out(video_project):
    path = video_project.root / "val1.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(8):
            frame = av.VideoFrame.from_ndarray(
                np.zeros((64, 48, 3), np.uint8), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    config = video_project.dataset("val")
    assert DATASETS.build(config)[1]["inputs"].shape == (1, 4, 4, 32, 32)
    config["pipeline"][0]["type"] = "DecordInit"
    config["pipeline"][2]["type"] = "DecordDecode"
    with pytest.raises(DamagedClipError, match="val1.mp4.*VideoInit and VideoDecode"):
        DATASETS.build(config)[1]


def test_pyav_without_a_frame_count(video_project):
    source, target = (video_project.root / f"val1.{end}" for end in ("mp4", "mkv"))
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                write.mux(packet)
    video_project.write_list("val", ["val1.mkv 0"])
    config = video_project.dataset("val")
    assert DATASETS.build(config)[0]["inputs"].shape == (1, 4, 4, 32, 32)
    config["pipeline"][0]["type"] = "PyAVInit"
    config["pipeline"][2]["type"] = "PyAVDecode"
    with pytest.raises(DamagedClipError, match="no count of them in the file"):
        DATASETS.build(config)[0]
