from __future__ import annotations

import pytest
import torch
from stream_cases import ARCH, CONFIG, lively, moving_square, write_video

from lcr_mmaction.models.backbone import LCRBackbone
from lcr_mmaction.streaming import StreamingRecognizer


@pytest.fixture
def make_backbone():
    def make(**options) -> LCRBackbone:
        torch.manual_seed(0)
        options = dict(arch=ARCH, img_size=32, patch_size=8) | options
        return lively(LCRBackbone(**options))

    return make


@pytest.fixture
def clip() -> torch.Tensor:
    """Two clips ``[N, C, T, H, W]`` of 6 frames."""
    return torch.randn(2, 4, 6, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def checkpoint(config_file, tmp_path):
    """Lively random weights for ``config_file``."""
    from mmaction.apis import init_recognizer

    model = init_recognizer(str(config_file), device="cpu")
    path = tmp_path / "small.pth"
    torch.save(dict(state_dict=lively(model).state_dict(), meta={}), path)
    return path


@pytest.fixture
def video(tmp_path):
    """A real video file: 8 frames of 100x60 at 10 frames a second."""
    return write_video(tmp_path / "video.mp4", moving_square(8))


@pytest.fixture
def make_recognizer(config_file, checkpoint):
    def make(**options) -> StreamingRecognizer:
        options = dict(policy="keep", smoothing=0.0) | options
        return StreamingRecognizer(config_file, checkpoint, **options)

    return make
