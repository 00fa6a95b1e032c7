"""From rendered continuous videos to a training step of the streaming config."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from renderer.classes import NO_GESTURE
from renderer.timeline import StreamSettings, render_streams

from lcr_mmaction.datasets import ListFileError, MissingClipsError, TimelineDataset

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "lcr_jester_stream.py"
SETTINGS = StreamSettings(
    seed=3, split="train", gestures=3, mean_frames=24, format="frames"
)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streams")
    render_streams(root, 2, SETTINGS)
    for case in Config.fromfile(CONFIG).cases:
        if case:
            root.with_name(root.name + case).symlink_to(root)
    return root


@pytest.fixture
def config(streams: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("STREAM_ROOT", str(streams))
    init_default_scope("mmaction")
    return Config.fromfile(CONFIG)


def make_dataset(root: Path, **options) -> TimelineDataset:
    folders = dict(
        ann_file=str(root / "timelines"), data_prefix=dict(img=str(root / "f"))
    )
    return TimelineDataset(filename_tmpl="{:05}.jpg", pipeline=[], **folders, **options)


def test_every_gesture_is_a_sample(streams: Path, config: Config) -> None:
    ordinary, *hard = config.train_dataloader.dataset.datasets
    dataset = DATASETS.build(ordinary)
    assert [len(DATASETS.build(case)) for case in hard] == [len(dataset)] * 6
    timelines = sorted((streams / "timelines").iterdir())
    events = [e for path in timelines for e in json.loads(path.read_text())["events"]]
    assert len(dataset) == len(events) == 6
    for index, event in enumerate(events):
        info = dataset.get_data_info(index)
        assert info["label"] == event["label"]
        assert info["gesture"] == (event["start_frame"], event["end_frame"])
        frames = list(Path(info["frame_dir"]).glob("*.jpg"))
        assert len(frames) == info["total_frames"]


def test_the_configs_batches_train_its_model(config: Config) -> None:
    loader = Config(dict(config.train_dataloader))
    loader.update(num_workers=0, persistent_workers=False, batch_size=6)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    labels = np.stack([sample.gt_label for sample in batch["data_samples"]])
    length = config.train_pipeline[0].clip_len
    assert labels.shape == (6, length) and labels.max() < 27
    assert (labels == NO_GESTURE).any()
    model = Runner.build_model(None, config.model)
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode="loss")
    losses["loss_cls"].backward()
    assert all(p.grad is not None for p in model.parameters())


def test_missing_and_broken_input_is_named(streams: Path, tmp_path: Path) -> None:
    with pytest.raises(ListFileError, match="No timeline .*timelines"):
        make_dataset(tmp_path)
    with pytest.raises(MissingClipsError, match="(?s)6 of the 6 .*no such folder"):
        make_dataset(streams)
    (tmp_path / "timelines").mkdir()
    (tmp_path / "timelines" / "a.json").write_text('{"num_frames": 3}')
    with pytest.raises(ListFileError, match="a.json is no timeline.*'events'"):
        make_dataset(tmp_path)
