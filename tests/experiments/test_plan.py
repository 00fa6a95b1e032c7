from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from harness.plan import build_config, edited, plan_runs, run_key, set_epochs
from harness.study import ROOT, Clips, Size, Variant, load_study, study_names
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

DATA, OUT = Path("/data"), Path("/out")
SIZE = Size(Clips(54, 27), epochs=4)
PIPELINE = [dict(type="Resize", scale=(64, 64)), dict(type="FormatShape")]


def key(variant: Variant, seed: int = 0, size: Size = SIZE, data: Path = DATA) -> str:
    return run_key(build_config(size, variant, seed, data), data)


def test_same_content_has_the_same_key_whatever_it_is_called() -> None:
    assert key(Variant("a", group="x", x=1.0)) == key(Variant("b"))
    assert key(Variant("a"), data=Path("/elsewhere/clips")) == key(Variant("a"))


@pytest.mark.parametrize(
    "change",
    [
        dict(variant=Variant("a", {"model.backbone.edge_weight": 2.0})),
        dict(variant=Variant("a", clips=Clips(54, 27, mean_frames=48))),
        dict(variant=Variant("a", train_edits={"TubeMask": dict(mask_ratio=0.5)})),
        dict(variant=Variant("a", tests={"16": {"UniformSample": dict(clip_len=16)}})),
        dict(seed=1),
        dict(size=Size(Clips(55, 27), epochs=4)),
        dict(size=Size(Clips(54, 27), epochs=5)),
    ],
)
def test_whatever_changes_the_result_changes_the_key(change: dict) -> None:
    assert key(**dict(variant=Variant("a")) | change) != key(Variant("a"))


def test_editing_a_pipeline_sets_removes_and_adds() -> None:
    assert edited(PIPELINE, {"Resize": dict(scale=(32, 32))})[0]["scale"] == (32, 32)
    assert edited(PIPELINE, {"Resize": None}) == PIPELINE[1:]
    added = edited(PIPELINE, {"TubeMask": dict(mask_ratio=0.5)})
    assert [step["type"] for step in added] == ["Resize", "TubeMask", "FormatShape"]
    assert PIPELINE[0]["scale"] == (64, 64)


def test_masking_is_for_training_alone() -> None:
    variant = Variant("a", train_edits={"TubeMask": dict(mask_ratio=0.5)})
    cfg = build_config(SIZE, variant, 0, DATA)
    train, val = (cfg[f"{split}_dataloader"].dataset for split in ("train", "val"))
    assert "TubeMask" in [step.type for step in train.pipeline]
    assert "TubeMask" not in [step.type for step in val.pipeline]


def test_ordered_clips_bring_their_classes_and_are_mirrored_without_relabelling() -> (
    None
):
    clips = Clips(48, 24, task="ordered", steps=4)
    cfg = build_config(SIZE, Variant("a", clips=clips), 0, DATA)
    train = cfg.train_dataloader.dataset
    assert cfg.model.cls_head.num_classes == len(train.metainfo.classes) == 24
    assert [s.flip_label_map for s in train.pipeline if s.type == "Flip"] == [None]
    assert train.ann_file.startswith(str(DATA / clips.folder))
    assert train.indices == 48


def test_the_schedule_ends_with_the_last_epoch() -> None:
    cfg = build_config(SIZE, Variant("a"), 0, DATA)
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[-1].end == 4
    with pytest.raises(ValueError, match="1 epochs are too few"):
        set_epochs(Config.fromfile(ROOT / SIZE.config), 1, 1)


def test_the_base_is_trained_once_for_all_studies() -> None:
    names = ("components", "edge_source", "edge_weight", "long_term", "training")
    keys = {plan_runs(load_study(name), "quick", 1, DATA, OUT)[0].key for name in names}
    assert len(keys) == 1


def test_finished_runs_keep_their_keys() -> None:
    kept = json.loads(Path(__file__).with_name("kept_keys.json").read_text())
    for name, keys in kept.items():
        study, size = name.split()
        now = {
            r.variant: r.key for r in plan_runs(load_study(study), size, 1, DATA, OUT)
        }
        assert {variant: now.get(variant) for variant in keys} == keys


def test_an_unknown_study_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="components"):
        load_study("no_such_study")


@pytest.mark.parametrize("size", ["quick", "full"])
@pytest.mark.parametrize("name", study_names())
def test_every_variant_of_a_study_is_another_run(name: str, size: str) -> None:
    runs = plan_runs(load_study(name), size, 1, DATA, OUT)
    assert len({run.key for run in runs}) == len(runs) >= 2


@pytest.mark.parametrize("name", ["components", "edge_source", "length"])
def test_every_variant_reads_the_clips_of_its_pipeline(name: str) -> None:
    init_default_scope("mmaction")
    for run in plan_runs(load_study(name), "quick", 1, DATA, OUT):
        steps = {step.type: step for step in run.config.val_dataloader.dataset.pipeline}
        channels = 4 if "EdgeExtract" in steps else 3
        frames, side = steps["UniformSample"].clip_len, steps["Resize"].scale[0]
        model = MODELS.build(run.config.model).eval()
        clip = torch.randint(
            0, 255, (1, channels, frames, side, side), dtype=torch.uint8
        )
        batch = model.data_preprocessor(dict(inputs=[clip], data_samples=None))
        with torch.no_grad():
            scores = model(batch["inputs"], mode="tensor")
        assert torch.isfinite(scores).all(), run.variant
