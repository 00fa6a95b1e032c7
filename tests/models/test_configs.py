"""The configs as the stock tools see them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lcr_mmaction.upstream.doors import stock_script

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = (
    "lcr_jester",
    "lcr_jester_tiny",
    "lcr_jester_paper",
    "lcr_jester_masked",
    "lcr_jester_stream",
    "lcr_libras",
    "lcr_msr",
)


@pytest.mark.parametrize("name", NAMES)
def test_config_builds(name):
    config = Config.fromfile(CONFIGS / f"{name}.py")
    assert config.custom_imports.imports == ["lcr_mmaction"]
    init_default_scope("mmaction")
    model = MODELS.build(config.model)
    assert model.cls_head.in_channels == model.backbone.feat_dims


def test_a_mirror_swaps_the_directed_gestures():
    config = Config.fromfile(CONFIGS / "lcr_jester.py")
    classes = config.train_dataloader.dataset.metainfo.classes
    opposite = {"Left": "Right", "Right": "Left"}
    opposite |= {"Clockwise": "Counterclockwise", "Counterclockwise": "Clockwise"}
    for label, name in enumerate(classes):
        *first, last = name.split()
        mirrored = " ".join([*first, opposite.get(last, last)])
        assert classes[config.flip_label_map.get(label, label)] == mirrored


def test_libras_reads_its_own_clips_and_never_mirrors_them():
    config = Config.fromfile(CONFIGS / "lcr_libras.py")
    for name, split in (("train", "train"), ("val", "val"), ("test", "val")):
        dataset = config[f"{name}_dataloader"].dataset
        assert dataset.ann_file.endswith(f"/libras_{split}_list_rawframes.txt")
        assert len(dataset.metainfo.classes) == config.model.cls_head.num_classes == 15
        assert dataset.pipeline[0].clip_len == 16
        assert "Flip" not in [step.type for step in dataset.pipeline]


def test_stock_get_flops_prints_the_papers_budget(tmp_path):
    printed = subprocess.run(
        [
            *(sys.executable, stock_script("analysis_tools/get_flops.py")),
            *(CONFIGS / "lcr_jester.py", "--shape", "1", "4", "16", "224", "224"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    figures = dict(
        line.split(": ") for line in printed.stdout.splitlines() if ": " in line
    )
    assert float(figures["Params"].rstrip("M")) == pytest.approx(5.14, rel=0.01)
    assert 15 < float(figures["Flops"].rstrip("G")) <= 22
    # An operator that is not counted would be named as unsupported.
    assert "lcr::" not in printed.stdout + printed.stderr


def test_the_custom_config_counts_the_classes_of_its_label_map(tmp_path, monkeypatch):
    (tmp_path / "data" / "custom").mkdir(parents=True)
    (tmp_path / "data" / "custom" / "label_map.txt").write_text("wave\npoint\n")
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(CONFIGS / "lcr_custom.py")
    assert config.model.cls_head.num_classes == 2
    assert config.val_dataloader.dataset.metainfo.classes == ("wave", "point")
    assert config.train_dataloader.dataset.pipeline[0].type == "VideoInit"


def test_the_custom_config_finds_another_folder_by_its_variable(tmp_path, monkeypatch):
    (tmp_path / "label_map.txt").write_text("a\nb\nc\n")
    monkeypatch.setenv("CUSTOM_ROOT", str(tmp_path))
    config = Config.fromfile(CONFIGS / "lcr_custom.py")
    assert config.model.cls_head.num_classes == 3
    for name in ("train", "val", "test"):
        dataset = config[f"{name}_dataloader"].dataset
        assert dataset.data_prefix.video == str(tmp_path)
        assert dataset.ann_file.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("clips", "epochs"), [(3, 400), (283, 84), (500, 48), (20000, 30)]
)
def test_the_custom_config_takes_as_many_steps_for_few_clips(
    tmp_path, monkeypatch, clips, epochs
):
    (tmp_path / "label_map.txt").write_text("a\nb\n")
    (tmp_path / "train_list.txt").write_text("a/1.mp4 0\n" * clips)
    monkeypatch.setenv("CUSTOM_ROOT", str(tmp_path))
    config = Config.fromfile(CONFIGS / "lcr_custom.py")
    assert config.train_cfg.max_epochs == config.param_scheduler[-1].end == epochs
    steps = [step.type for step in config.train_dataloader.dataset.pipeline]
    assert steps[:3] == ["VideoInit", "RandomTemporalCrop", "TimeWarpedSample"]


@pytest.mark.parametrize(
    ("classes", "flips"),
    [
        ("jump\nnod\n", [dict(type="Flip", flip_ratio=0.5)]),
        (
            "left\nnod\nright\n",
            [dict(type="Flip", flip_ratio=0.5, flip_label_map={0: 2, 2: 0})],
        ),
        ("nod\nturn left\n", []),
    ],
)
def test_the_custom_config_mirrors_as_its_classes_allow(
    tmp_path, monkeypatch, classes, flips
):
    (tmp_path / "label_map.txt").write_text(classes)
    monkeypatch.setenv("CUSTOM_ROOT", str(tmp_path))
    config = Config.fromfile(CONFIGS / "lcr_custom.py")
    steps = config.train_dataloader.dataset.pipeline
    assert [step for step in steps if step.type == "Flip"] == flips


def test_a_new_data_set_is_a_short_file(tmp_path):
    """The example of docs/data.md, as it stands there."""
    page = (CONFIGS.parent / "docs" / "data.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    (text,) = [block for block in blocks if "clip_pipelines" in block]
    assert len(text.splitlines()) < 30
    base = (CONFIGS / "lcr_jester_tiny.py").as_posix()
    path = tmp_path / "mine.py"
    path.write_text(text.replace("lcr_jester_tiny.py", base))
    config = Config.fromfile(path)
    steps = config.train_dataloader.dataset.pipeline
    assert steps[0] == dict(type="UniformSample", clip_len=16)
    assert steps[2].scale == (112, 112)
    assert config.model.cls_head.num_classes == 2
    again = tmp_path / "dumped.py"
    config.dump(again)
    assert Config.fromfile(again).train_pipeline == config.train_pipeline
    config.merge_from_dict({"train_pipeline.0.clip_len": 8})
    assert config.train_pipeline[0].clip_len == 8
