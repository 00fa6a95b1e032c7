"""The default reader in pipelines, in MMAction2's inference and in its inferencer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmaction.apis import MMAction2Inferencer, inference_recognizer, init_recognizer
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from video_files import Kind, write

from lcr_mmaction.transforms.pipelines import clip_pipelines, without_edges
from lcr_runtime.video import DECODERS, VideoError, open_video

LOSSLESS = dict(codec="qtrle", pixels="rgb24")
TESTED = """
_base_ = ['small.py']
visualizer = dict(type='ActionVisualizer', vis_backends=[])
test_dataloader = dict(
    dataset=dict(
        type='RawframeDataset',
        ann_file='',
        pipeline=[
            dict(type='SampleFrames', clip_len=8, num_clips=1, test_mode=True),
            dict(type='RawFrameDecode'),
            *_base_.test_pipeline[3:],
        ],
    )
)
"""


def read(path, sample, **options):
    results = dict(filename=str(path), start_index=0, modality="RGB")
    steps = (dict(type="VideoInit", **options), sample, dict(type="VideoDecode"))
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    return results


@pytest.fixture
def tested_config(config_file):
    path = config_file.with_name("tested.py")
    path.write_text(TESTED)
    return str(path)


@pytest.mark.parametrize("decoder", DECODERS)
def test_frames_are_sampled_and_decoded(tmp_path, decoder):
    kind = Kind("a.mp4", orientation=90, count=20, options={"g": "5", "bf": "2"})
    path = write(kind, tmp_path)
    results = read(
        path, dict(type="UniformSample", clip_len=6, test_mode=True), decoder=decoder
    )
    assert results["total_frames"] == 20
    assert results["avg_fps"] == pytest.approx(10)
    assert results["img_shape"] == results["original_shape"] == (48, 64)
    assert results["video_reader"] is None
    expected = kind.pictures()
    for number, image in zip(results["frame_inds"], results["imgs"], strict=True):
        assert np.abs(image.astype(int) - expected[number]).mean() < 4


def test_a_frame_sampled_twice_is_two_pictures(tmp_path):
    """Transforms such as `Flip` change pictures in place."""
    path = write(Kind("a.mp4", count=2), tmp_path)
    images = read(path, dict(type="UniformSample", clip_len=8))["imgs"]
    assert len({image.__array_interface__["data"][0] for image in images}) == 8


def test_a_rate_is_that_of_the_containers_times(tmp_path):
    """With `target_fps`, clips of any rate cover the same time."""
    sample = dict(type="SampleFrames", clip_len=4, target_fps=5, test_mode=True)
    for rate, step in ((20, 5), (10, 2)):
        times = [1000 * frame // rate for frame in range(24)]
        path = write(Kind("a.mp4", rate=90, count=24, times=times), tmp_path)
        results = read(path, sample)
        assert results["avg_fps"] == pytest.approx(rate, rel=0.01)
        assert results["frame_inds"][1] - results["frame_inds"][0] == step


def test_errors_name_the_file(tmp_path):
    sample = dict(type="UniformSample", clip_len=4)
    with pytest.raises(FileNotFoundError, match="none.mp4"):
        read(tmp_path / "none", sample)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="text.mp4 cannot be read by pyav"):
        read(tmp_path / "text.mp4", sample)
    with pytest.raises(ValueError, match="decoder='x' is unknown"):
        TRANSFORMS.build(dict(type="VideoInit", decoder="x"))


def test_inference_reads_turned_videos_and_names_bad_ones(tested_config, tmp_path):
    model = init_recognizer(tested_config, device="cpu")
    upright = inference_recognizer(model, write(Kind("a.mov", **LOSSLESS), tmp_path))
    kind = Kind("turned.mov", orientation=270, **LOSSLESS)
    turned = inference_recognizer(model, write(kind, tmp_path))
    assert np.array_equal(upright.pred_score, turned.pred_score)
    content = Path(write(Kind("cut.mov", **LOSSLESS), tmp_path)).read_bytes()
    (tmp_path / "cut.mov").write_bytes(content[:2000])
    with pytest.raises(VideoError, match="cut.mov cannot be read by pyav"):
        inference_recognizer(model, str(tmp_path / "cut.mov"))


def test_the_inferencer_keeps_the_configs_reader(tested_config, checkpoint, tmp_path):
    model = dict(rec=tested_config, rec_weights=str(checkpoint), device="cpu")
    inferencer = MMAction2Inferencer(**model)
    steps = inferencer.actionrecog_inferencer.pipeline.transforms
    names = [type(step).__name__ for step in steps]
    assert names[1:4] == ["VideoInit", "SampleFrames", "VideoDecode"]
    paths = [
        write(Kind(f"{turn}.mov", orientation=turn, **LOSSLESS), tmp_path)
        for turn in (0, 90)
    ]
    one, other = inferencer(paths)["predictions"]
    assert one == other
    arrays = MMAction2Inferencer(**model, input_format="array")
    with open_video(paths[0]) as reader:
        frames = np.stack([frame.image for frame in reader])
    assert arrays(frames)["predictions"][0] == one


def test_the_inferencer_leaves_other_configs_alone(tested_config):
    config = Config.fromfile(tested_config)
    config.test_pipeline[0].type = "DecordInit"
    config.test_pipeline[2].type = "DecordDecode"
    path = tested_config.replace("tested", "other")
    config.dump(path)
    steps = MMAction2Inferencer(
        path, device="cpu"
    ).actionrecog_inferencer.pipeline.transforms
    names = [type(step).__name__ for step in steps]
    assert names[1] == "DecordInit" and names[3] == "DecordDecode"


def test_every_video_is_written_with_its_prediction(tested_config, tmp_path):
    pytest.importorskip("moviepy.editor")
    paths = [write(Kind(f"{name}.mp4", count=8), tmp_path) for name in "ab"]
    inferencer = MMAction2Inferencer(tested_config, device="cpu")
    out = tmp_path / "out"
    inferencer(paths, vid_out_dir=str(out))
    assert sorted(x.name for x in out.iterdir()) == ["a.mp4", "b.mp4"]
    inferencer(paths[0], vid_out_dir=str(out / "plain"), draw_pred=False)
    with (
        open_video(out / "a.mp4") as drawn,
        open_video(out / "plain" / "a.mp4") as plain,
        open_video(paths[0]) as original,
    ):
        assert drawn.rate == pytest.approx(10)
        one, other, raw = drawn.read([0])[0], plain.read([0])[0], original.read([0])[0]
    assert np.abs(one.astype(int) - other).max() > 100
    # Lower right, where nothing is written: red is red, and blue is blue.
    assert np.abs(one[-8:, -8:].astype(int) - raw[-8:, -8:]).mean() < 12
    (tmp_path / "sub").mkdir()
    same = write(Kind("a.mp4"), tmp_path / "sub")
    with pytest.raises(ValueError, match="a.mp4 of several inputs"):
        inferencer([paths[0], same], vid_out_dir=str(out))


def test_the_configs_pipelines_come_of_values():
    train, val, test = clip_pipelines(8, 64, flip=dict(flip_ratio=0.5))
    kinds = [[step["type"] for step in pipeline] for pipeline in (train, val, test)]
    end = ["Resize", "EdgeExtract", "FormatShape", "PackActionInputs"]
    assert kinds[0] == ["UniformSample", "RawFrameDecode", "Resize", "Flip", *end[1:]]
    assert kinds[1] == ["UniformSample", "RawFrameDecode", *end]
    assert kinds[2] == ["VideoInit", "UniformSample", "VideoDecode", *end]
    assert [step["type"] for step in without_edges(val)] == [*kinds[1][:3], *end[2:]]
    train, val, test = clip_pipelines(8, 64, videos=True, decoder="decord")
    assert val == test and train[0] == dict(type="VideoInit", decoder="decord")
