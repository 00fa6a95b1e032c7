"""MMAction2's own models as steps of a stream, for the engines that run ours."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from lcr_runtime import StreamOptions
from lcr_runtime.engines import ExportedEngine
from lcr_runtime.engines.exported import State

from .contestants import NUM_CLASSES, build

SIZE = 224
CLIP = 16
TRANSFORMS = [dict(type="Resize", scale=(SIZE, SIZE), keep_ratio=False)]
OPTIONS = StreamOptions(
    [str(i) for i in range(NUM_CLASSES)], CLIP, consensus="last", policy="keep"
)


class PictureStep(nn.Module):
    """MobileNetV2, the network that torchvision has too: knows one frame alone."""

    def __init__(self) -> None:
        super().__init__()
        init_default_scope("mmaction")
        self.network = nn.Sequential(
            MODELS.build(dict(type="MobileNetV2")),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(1280, NUM_CLASSES),
        )
        self.initial: dict[str, Tensor] = {}
        self.recurrent_names: list[str] = []
        self.eval()

    def forward(self, frame: Tensor, elapsed: Tensor) -> tuple[Tensor, ...]:
        """Read a frame ``[1, H, W, 3]`` uint8; no time matters to it."""
        return (self.network(normalised(frame)),)


class ClipStep(nn.Module):
    """X3D-M of a clip that slides: every new frame costs a clip.

    Args:
        frames: Of the clip.
        size: Of a frame's side.
    """

    def __init__(self, frames: int = CLIP, size: int = SIZE) -> None:
        super().__init__()
        model = build("X3D-M", frames, size)
        self.backbone, self.head = model.backbone, model.cls_head
        self.initial = {"past": torch.zeros(1, 3, frames - 1, size, size)}
        self.recurrent_names: list[str] = []
        self.eval()

    def forward(
        self, frame: Tensor, elapsed: Tensor, past: Tensor
    ) -> tuple[Tensor, ...]:
        """Read a frame ``[1, H, W, 3]`` uint8 after the clip's other frames."""
        clip = torch.cat([past, normalised(frame)[:, :, None]], dim=2)
        return self.head(self.backbone(clip)), clip[:, :, 1:].clone()


def normalised(frame: Tensor) -> Tensor:
    """A frame ``[1, H, W, 3]`` uint8 as ``[1, 3, H, W]`` around 0."""
    return ((frame.float() - 114.75) / 57.38).permute(0, 3, 1, 2)


STEPS = {"MobileNetV2": PictureStep, "X3D-M": ClipStep}


class TorchStep(ExportedEngine):
    """PyTorch, without a file: runs a step as other engines run its export.

    Args:
        graph: The step.
        precision: ``'bf16'`` is autocast.
        size: Of a frame's side.
    """

    name = "torch"

    def __init__(self, graph: nn.Module, precision: str, size: int = SIZE) -> None:
        self.graph, self.path, self.precision = graph, Path("torch"), precision
        about = dict(transforms=TRANSFORMS, recurrent=[], made={})
        about["stream"] = OPTIONS.as_dict()
        state = [(name, list(x.shape)) for name, x in graph.initial.items()]
        inputs = [("frame", [1, size, size, 3]), ("elapsed", [1]), *state]
        self.describe({key: json.dumps(value) for key, value in about.items()}, inputs)

    @torch.inference_mode()
    def infer(self, inputs: list[np.ndarray], state: State) -> tuple[np.ndarray, State]:
        """Run the step."""
        half = self.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            tensors = self.graph(*map(torch.from_numpy, [*inputs, *state]))
        logits, *after = (x.float().numpy() for x in tensors)
        return logits, after
