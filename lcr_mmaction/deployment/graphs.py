"""The step as a plain graph, for export out of Python.

It takes the uint8 frame that the pipeline's transforms make, channels last, and
normalises it itself.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..models.backbone import LCRBackbone
from ..models.state import state_from_tensors, state_tensors
from .parts import with_parts


class StepGraph(nn.Module):
    """A frame, the time since the last and the state in; logits and next state out.

    Args:
        model: A recognizer with ``LCRBackbone`` and ``LCRHead``; it stays as it is.
        size: ``(height, width)`` of the frames; the backbone's ``img_size`` if None.

    Raises:
        ValueError: The model's preprocessor swaps channels.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, model: nn.Module, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        preprocessor, backbone = model.data_preprocessor, model.backbone
        assert isinstance(preprocessor, nn.Module)
        assert isinstance(backbone, LCRBackbone)
        if preprocessor.to_rgb:
            raise ValueError(
                "export expects RGB frames: set to_rgb=False in data_preprocessor"
            )
        size = backbone.img_size if size is None else size
        self.backbone = with_parts(backbone, size)
        self.head = cast(nn.Module, model.cls_head)
        zero, one = torch.zeros(1), torch.ones(1)
        mean = getattr(preprocessor, "mean", zero).detach().flatten()
        std = getattr(preprocessor, "std", one).detach().flatten()
        # Of all values of a row, or one for all where nothing is normalised.
        times = size[1] if mean.numel() > 1 else 1
        self.register_buffer("mean", mean.repeat(times))
        self.register_buffer("scale", (1 / std).repeat(times))
        self.like = self.backbone.init_state(1, size)
        # Tracing takes one tensor given twice for one input: clones are distinct.
        self.initial = {k: x.clone() for k, x in state_tensors(self.like).items()}
        self.eval()

    @property
    def state_names(self) -> list[str]:
        """Names of the state's tensors, in the order of the arguments."""
        return list(self.initial)

    @property
    def recurrent_names(self) -> list[str]:
        """Of those, the recurrent part: what a policy lets fade."""
        return [name for name in self.initial if ".memory" in name]

    def forward(
        self, frame: Tensor, elapsed: Tensor, *state: Tensor
    ) -> tuple[Tensor, ...]:
        """Read a frame ``[1, H, W, C]`` uint8, ``elapsed`` ``[1]`` after the last.

        Returns:
            Logits ``[1, num_classes]``, then the state's tensors.
        """
        tensors = dict(zip(self.state_names, state, strict=True))
        before = state_from_tensors(tensors, self.like)
        rows = (frame.flatten(2).float() - self.mean) * self.scale
        inputs = rows.view(frame.shape).permute(0, 3, 1, 2)
        feature, after = self.backbone.step(inputs, before, elapsed)
        logits = self.head(feature)
        # A graph's outputs must not be its inputs: what the options leave
        # unchanged is copied.
        changed = [
            y.clone() if y is x else y
            for x, y in zip(state, state_tensors(after).values(), strict=True)
        ]
        return (logits, *changed)
