"""The names of Jester's classes, wherever they are read from."""

from __future__ import annotations

from pathlib import Path

from mmengine import Config
from renderer.classes import CLASSES, FLIP_LABEL_MAP

ROOT = Path(__file__).parents[2]


def test_renderer_and_configs_agree_with_the_label_map():
    names = (ROOT / "tools/data/jester/label_map.txt").read_text().splitlines()
    assert len(names) == 27
    base = Config.fromfile(ROOT / "configs/_base_/datasets/jester_rawframes.py")
    assert list(CLASSES) == list(base.classes) == names
    assert base.flip_label_map == FLIP_LABEL_MAP
    for loader in (base.train_dataloader, base.val_dataloader, base.test_dataloader):
        assert list(loader.dataset.metainfo.classes) == names
