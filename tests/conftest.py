from __future__ import annotations

import os

# Before torch is imported, and for every process that a test starts: threads that wait
# for each other are slower than none where the processors are busy.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

pytest_plugins = ["stream_fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, visibly, what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    no_gpu = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(no_gpu)
