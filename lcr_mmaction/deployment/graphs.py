"""The clip model and the step as plain graphs, for export out of Python.

Both take uint8 frames, channels last, and normalise them themselves: the only
preprocessing left outside is the geometry and the edge map.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..models import mixers
from ..models.state import state_from_tensors, state_tensors
from ..models.token_grid import TokenGrid
from ..models.vision_rwkv import spatial_mix
from ..models.vision_rwkv.normalised_wkv import traceable_normalised_bi_wkv
from ..ops.traceable import traceable_bi_wkv


class ClipGraph(nn.Module):
    """Frames of a whole clip in, probabilities out.

    Args:
        model: A recognizer with ``LCRBackbone`` and ``LCRHead``.

    Raises:
        ValueError: Its preprocessor swaps channels.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        if preprocessor.to_rgb:
            raise ValueError(
                "export expects RGB frames: set to_rgb=False in data_preprocessor"
            )
        self.backbone, self.head = model.backbone, model.cls_head
        zero, one = torch.zeros(1), torch.ones(1)
        mean = getattr(preprocessor, "mean", zero).detach().flatten()
        std = getattr(preprocessor, "std", one).detach().flatten()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def normalise(self, frames: Tensor) -> Tensor:
        """Normalise ``[..., C]`` uint8 as the model's preprocessor does."""
        return (frames.float() - self.mean) / self.std

    def forward(self, clip: Tensor) -> Tensor:
        """Score clips ``[N, T, H, W, C]`` uint8: ``[N, num_classes]``."""
        frames = self.normalise(clip).permute(0, 1, 4, 2, 3)
        height, width = frames.shape[-2:]
        state = self.backbone.init_state(frames.shape[0], (height, width))
        patch = self.backbone.patch_size
        # The public forward looks for masked patches, which a graph cannot branch
        # on and which do not occur outside of training.
        grid = TokenGrid(height // patch, width // patch)
        features, _ = self.backbone._run(frames, state, grid)
        return self.head(features).softmax(dim=-1)


class StepGraph(ClipGraph):
    """One frame and the state in, that frame's logits and the next state out.

    Args:
        model: As for ClipGraph.
        batch_size: Streams N.
        size: ``(height, width)`` of the frames; the backbone's ``img_size`` if None.
    """

    def __init__(
        self,
        model: nn.Module,
        batch_size: int = 1,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(model)
        state = self.backbone.init_state(batch_size, size)
        # Tracing takes one tensor given twice for one input: clones are distinct.
        self.initial = {k: x.clone() for k, x in state_tensors(state).items()}
        self.like = state

    @property
    def state_names(self) -> list[str]:
        """Names of the state's tensors, in the order of the arguments."""
        return list(self.initial)

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Read a frame ``[N, H, W, C]`` uint8 of every stream.

        Returns:
            Logits ``[N, num_classes]``, then the state's tensors.
        """
        named = dict(zip(self.state_names, state, strict=True))
        before = state_from_tensors(named, self.like)
        inputs = self.normalise(frame).permute(0, 3, 1, 2)
        feature, after = self.backbone.step(inputs, before)
        logits = self.head(feature)
        # A graph's outputs must not be its inputs: what the options leave
        # unchanged is copied.
        changed = [
            y.clone() if y is x else y
            for x, y in zip(state, state_tensors(after).values(), strict=True)
        ]
        return (logits, *changed)


@contextmanager
def traceable() -> Iterator[None]:
    """Replace the compiled operator by standard ones while exporting."""
    standard = (
        (mixers, "bi_wkv", traceable_bi_wkv),
        (spatial_mix, "bi_wkv", traceable_bi_wkv),
        (spatial_mix, "normalised_bi_wkv", traceable_normalised_bi_wkv),
    )
    compiled = [getattr(module, name) for module, name, _ in standard]
    for module, name, function in standard:
        setattr(module, name, function)
    try:
        yield
    finally:
        for (module, name, _), function in zip(standard, compiled, strict=True):
            setattr(module, name, function)
