"""What a change of the model's code must keep, measured.

Scores of the model that ships, bit for bit; of every config the parameters, the FLOPs
and, from fresh weights of a fixed seed, the scores and the size of the gradient.

    python tests/models/kept_behaviour.py after.json

Run it before and after on one machine and compare the files. ``kept_behaviour.json`` is
such a file; ``test_kept_behaviour.py`` compares with it, to rounding.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import torch
from mmaction.apis import init_recognizer
from mmaction.registry import MODELS
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import lcr_mmaction

PACKAGE = Path(lcr_mmaction.__file__).parent
CONFIGS = PACKAGE.parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.py"))


def fixed_clip(frames: int, side: int, channels: int) -> Tensor:
    """A clip of a fixed seed, ``[1, channels, T, side, side]``, uint8."""
    generator = torch.Generator().manual_seed(11)
    clip = torch.randint(0, 256, (1, 4, frames, side, side), generator=generator)
    clip[:, 3] = (clip[:, 3] > 200) * 255
    return clip[:, :channels].to(torch.uint8)


def score(model: nn.Module, clip: Tensor) -> Tensor:
    """Logits of a clip, the preprocessor included."""
    batch = model.data_preprocessor(dict(inputs=[clip], data_samples=None))
    return model.cls_head(model.extract_feat(batch["inputs"])[0])


@torch.no_grad()
def shipped_scores() -> Tensor:
    """Logits of the shipped checkpoint after every second frame of a clip."""
    config = str(CONFIGS / "lcr_jester_stream.py")
    checkpoint = str(PACKAGE / "checkpoints" / "lcr_jester_stream.pth")
    model = init_recognizer(config, checkpoint, device="cpu")
    clip = fixed_clip(8, 64, 3)
    return torch.cat([score(model, clip[:, :, :t]) for t in (2, 4, 6, 8)])


def build(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """A fresh model of a config, and frames, side and channels of its clips."""
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "data" / "custom" / "label_map.txt"
        labels.parent.mkdir(parents=True)
        labels.write_text("".join(f"class {i}\n" for i in range(10)))
        here = Path.cwd()
        os.chdir(folder)
        try:
            config = Config.fromfile(CONFIGS / f"{name}.py")
        finally:
            os.chdir(here)
    init_default_scope("mmaction")
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    steps = {step["type"]: step for step in config.test_pipeline}
    frames, side = steps["UniformSample"]["clip_len"], steps["Resize"]["scale"][0]
    return model, (frames, side, 4 if "EdgeExtract" in steps else 3)


def fresh(name: str) -> dict[str, float | int | list[float]]:
    """What a fresh model of a config gives."""
    model, (_, _, channels) = build(name)
    clip = fixed_clip(3, 64, channels)
    logits = score(model, clip)
    logits.square().sum().backward()
    squares = [p.grad.square().sum() for p in model.parameters() if p.grad is not None]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "scores": logits.detach().flatten().tolist(),
        "gradient": torch.stack(squares).sum().sqrt().item(),
    }


def flops(name: str) -> int:
    """FLOPs of one of a config's own clips."""
    model, (frames, side, channels) = build(name)
    model.forward = model.extract_feat  # as MMAction2's get_flops.py does
    counted = get_model_complexity_info(
        model, (1, channels, frames, side, side), show_table=False, show_arch=False
    )
    return counted["flops"]


def measure() -> dict:
    """All that is kept."""
    shipped = shipped_scores()
    digest = hashlib.sha256(shipped.numpy().tobytes()).hexdigest()
    return {
        "shipped_digest": digest,
        "shipped_scores": shipped.tolist(),
        "configs": {name: fresh(name) | {"flops": flops(name)} for name in NAMES},
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measure(), indent=1) + "\n")
