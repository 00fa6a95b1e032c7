"""The model index as `mim` reads it, against the models themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from modelindex.load_model_index import load

ROOT = Path(__file__).resolve().parents[2]
INDEX = load(str(ROOT / "model-index.yml"))
ENTRIES = {model.name: model for model in INDEX.models}
PAGES = "".join(page.read_text() for page in (ROOT / "configs").glob("*.md"))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_its_config(name):
    entry = ENTRIES[name]
    assert entry.in_collection == "LCR"
    assert entry.data["Modality"]
    assert f"({Path(entry.config).name})" in PAGES
    config = Config.fromfile(ROOT / entry.config)
    init_default_scope("mmaction")
    model = MODELS.build(config.model)
    metadata = entry.metadata.data
    parameters = sum(p.numel() for p in model.parameters())
    assert metadata["Parameters"] == parameters
    assert metadata["Epochs"] == config.train_cfg.max_epochs
    assert metadata["Batch Size"] == config.train_dataloader.batch_size
    # No accuracy without somebody who trained.
    assert bool(entry.results) == ("Training Resources" in metadata)
