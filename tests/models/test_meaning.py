"""Checkpoints of the same shapes and another meaning, offered to every loader."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from mmaction.apis import MMAction2Inferencer, init_recognizer
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint, save_checkpoint
from model_cases import small_backbone
from stream_cases import CONFIG

from lcr_mmaction.deployment import shipped_model
from lcr_mmaction.loading import IN_GRAPH, find_edges
from lcr_mmaction.models import meaning
from lcr_mmaction.models.meaning import OtherMeaningError
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_mmaction.upstream.doors import stock_script

ROOT = Path(__file__).resolve().parents[2]
CONFIG = CONFIG.replace("ActionDataPreprocessor", "LCRDataPreprocessor")
CONFIG += "test_dataloader = dict(dataset=dict(pipeline=test_pipeline))"
OTHERS = {
    "cell": dict(backbone=dict(cell="bounded")),
    "edge_weight": dict(backbone=dict(edge_weight=2.0)),
    "kv_source": dict(backbone=dict(kv_source="edge")),
    "block": dict(backbone=dict(block="plain")),
    "mean": dict(data_preprocessor=dict(mean=[0, 0, 0, 0])),
    "to_rgb": dict(data_preprocessor=dict(to_rgb=True)),
}


def config_of(**model) -> Config:
    config = Config.fromstring(CONFIG, ".py")
    config.merge_from_dict(dict(model=model))
    return config


@pytest.fixture
def checkpoint(tmp_path) -> str:
    """Random weights of ``CONFIG``, saved as MMEngine saves them."""
    init_default_scope("mmaction")
    path = tmp_path / "leaky.pth"
    model = MODELS.build(config_of().model)
    save_checkpoint(dict(state_dict=model.state_dict(), meta={}), str(path))
    return str(path)


def by_init_recognizer(config: Config, path: str) -> None:
    init_recognizer(config, path, device="cpu")


def by_inferencer(config: Config, path: str) -> None:
    MMAction2Inferencer(rec=config, rec_weights=path, device="cpu")


def by_stream(config: Config, path: str) -> None:
    StreamingRecognizer(config, path)


def by_torch(config: Config, path: str) -> None:
    model = MODELS.build(config.model)
    model.load_state_dict(torch.load(path, weights_only=True)["state_dict"])


LOADERS = [by_init_recognizer, by_inferencer, by_stream, by_torch]


@pytest.mark.parametrize("load", LOADERS)
def test_every_loader_refuses_other_cells_and_takes_its_own(checkpoint, load):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the checkpoint does not say")
        load(config_of(), checkpoint)
    other = config_of(backbone=dict(cell="bounded"))
    with pytest.raises(OtherMeaningError, match="'leaky' in the ch.*'bounded' in this"):
        load(other, checkpoint)


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_whatever_changes_the_meaning_is_refused(checkpoint, options):
    ((part, changed),) = options.items()
    (name,) = changed
    with pytest.raises(OtherMeaningError, match=rf"{part}\.{name}: "):
        by_init_recognizer(config_of(**options), checkpoint)


def test_what_changes_no_meaning_is_loaded(checkpoint):
    options = dict(drop_path_rate=0.1, with_cp=True, frozen_stages=1, img_size=64)
    by_init_recognizer(config_of(backbone=options), checkpoint)


def test_who_insists_is_warned(checkpoint, monkeypatch):
    monkeypatch.setenv(meaning.INSIST_VARIABLE, "1")
    with pytest.warns(UserWarning, match=r"(?s)'leaky' in the checkpoint.*: loaded"):
        by_init_recognizer(config_of(backbone=dict(cell="bounded")), checkpoint)


def test_old_checkpoints_are_loaded_with_a_warning(checkpoint, tmp_path):
    saved = torch.load(checkpoint, weights_only=True)
    path = str(tmp_path / "old.pth")
    torch.save(dict(state_dict=dict(saved["state_dict"])), path)
    with pytest.warns(UserWarning, match="does not say with which .*cell"):
        by_init_recognizer(config_of(), path)


def test_the_shipped_checkpoint_knows_its_cell():
    config, checkpoint = map(str, shipped_model())
    config = Config.fromfile(config)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "the checkpoint does not say")
        init_recognizer(config, checkpoint, device="cpu")
    config.model.backbone.cell = "leaky"
    with pytest.raises(OtherMeaningError, match="'bounded' in the checkpoint"):
        init_recognizer(config, checkpoint, device="cpu")


def test_copies_and_pickles_keep_the_meaning():
    backbone = small_backbone(cell="bounded")
    for other in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        other.load_state_dict(backbone.state_dict())
        with pytest.raises(OtherMeaningError):
            other.load_state_dict(small_backbone().state_dict())


@pytest.mark.parametrize("tool", ["publish", "ship"])
def test_published_weights_keep_their_meaning(checkpoint, tmp_path, tool):
    path = str(tmp_path / "published.pth")
    script = ROOT / "tools" / "deployment" / "ship_model.py"
    if tool == "publish":
        script = stock_script("deployment/publish_model.py")
    run = [sys.executable, str(script), checkpoint, path]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    (written,) = tmp_path.glob("published*.pth")
    by_init_recognizer(config_of(), str(written))
    with pytest.raises(OtherMeaningError):
        by_init_recognizer(config_of(backbone=dict(cell="paper")), str(written))


def runner_of(tmp_path, config: Config, **options) -> Runner:
    return Runner(
        model=config.model,
        work_dir=str(tmp_path / "work"),
        custom_hooks=[dict(type="CheckpointGuardHook")],
        default_scope="mmaction",
        experiment_name=str(len(list(tmp_path.iterdir()))),
        **options,
    )


def test_a_run_refuses_before_it_starts(checkpoint, tmp_path):
    runner_of(tmp_path, config_of(), load_from=checkpoint).load_or_resume()
    runner = runner_of(
        tmp_path, config_of(backbone=dict(cell="bounded")), load_from=checkpoint
    )
    with pytest.raises(OtherMeaningError, match=meaning.INSIST_VARIABLE):
        runner.load_or_resume()


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (dict(edges="sobel"), "edges: .*sobel.*in this model"),
        (dict(dataset_meta=dict(classes=["b", "a"])), r"classes: \['b', 'a'\]"),
    ],
)
@pytest.mark.parametrize("load", ["stream", "run"])
def test_other_edges_and_classes_are_refused(checkpoint, tmp_path, meta, message, load):
    config = config_of()
    classes = ["a", "b", "c", "d"]
    config.test_dataloader.dataset.metainfo = dict(classes=classes)
    saved = torch.load(checkpoint, weights_only=True)

    def offer() -> None:
        if load == "stream":
            by_stream(config, checkpoint)
        else:
            options = dict(load_from=checkpoint, cfg=config)
            runner_of(tmp_path, config, **options).load_or_resume()

    for own in (dict(edges="canny_otsu", dataset_meta=dict(classes=classes)), {}):
        torch.save(dict(state_dict=saved["state_dict"], meta=own), checkpoint)
        offer()
    torch.save(dict(state_dict=saved["state_dict"], meta=meta), checkpoint)
    with pytest.raises(OtherMeaningError, match=message):
        offer()


def test_a_config_says_how_its_edges_are_found():
    config = config_of()
    assert find_edges(config, "train_dataloader", "test_dataloader") == "canny_otsu"
    steps = config.test_dataloader.dataset.pipeline
    steps[5].update(method="canny", low=50, high=100)
    assert find_edges(config, "test_dataloader") == "canny high=100 low=50"
    del steps[5]
    assert find_edges(config, "test_dataloader") == IN_GRAPH
    assert find_edges(Config()) is None


def test_revised_names_keep_the_meaning(checkpoint, tmp_path):
    model = MODELS.build(config_of(backbone=dict(cell="bounded")).model)
    with pytest.raises(OtherMeaningError):
        load_checkpoint(model, checkpoint, revise_keys=[(r"^cls_head\.", "head.")])
