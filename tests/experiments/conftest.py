from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "tools" / "experiments"
# As for the scripts there, which Python starts with their folder on its path.
sys.path.insert(0, str(EXPERIMENTS))

STUDY = """
from harness.study import Clips, Size, Study, Variant

ARCH = dict(_delete_=True, embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=2)
SMALL = {
    "model.backbone.arch": ARCH,
    "model.backbone.patch_size": 8,
    "model.cls_head.in_channels": 32,
    "train_dataloader.batch_size": 8,
}
PIXELS = {"Resize": dict(scale=(32, 32)), "UniformSample": dict(clip_len=4)}
STUDY = Study(
    "Small",
    "Does it run?",
    {
        "quick": Size(Clips(16, 8), epochs=2, options=SMALL, edits=PIXELS),
        "full": Size(Clips(32, 8), epochs=2),
    },
    [
        Variant("plain"),
        Variant(
            "without edges",
            {"model.backbone.edge_weight": 0.0},
            tests={"8": {"UniformSample": dict(clip_len=8)}},
            x=4.0,
        ),
    ],
    x_label="frames",
)
"""


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of two variants, small enough to train within seconds."""
    path = tmp_path_factory.mktemp("studies") / "small.py"
    path.write_text(STUDY)
    return str(path)
