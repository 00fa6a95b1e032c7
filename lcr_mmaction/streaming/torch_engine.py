"""The model itself as the engine: PyTorch, on any device."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any, cast

import numpy as np
import torch
from mmengine import Config
from torch import Tensor, nn

from lcr_runtime.engines import PRECISIONS, Engine
from lcr_runtime.preprocess import find_test_pipeline

from ..loading import load_recognizer
from ..models.state import (
    LCRState,
    decay_streams,
    map_state,
    num_streams,
    put_streams,
    reset_streams,
    select_streams,
)
from .pipeline import FramePreprocessor, normalise

DTYPES = dict(
    zip(PRECISIONS, (torch.float32, torch.bfloat16, torch.float16), strict=True)
)


class TorchEngine(Engine):
    """Steps all states of all streams as one batch.

    Args:
        config: An LCR config.
        checkpoint: Weights; None leaves them random, with a warning.
        device: Where to compute.
        precision: ``'bf16'`` and ``'fp16'`` are for matrix products (autocast); cell
            and scores stay float32.
        compiled: Compile the step with ``torch.compile`` at the first frame.

    Raises:
        ValueError: The precision is unknown.
        TypeError: The config's backbone cannot step.
    """

    name = "torch"

    def __init__(
        self,
        config: Config,
        checkpoint: str | PathLike | None = None,
        device: str | torch.device = "cpu",
        precision: str = "fp32",
        compiled: bool = False,
    ) -> None:
        if precision not in DTYPES:
            raise ValueError(
                f"precision={precision!r}: engine 'torch' has {', '.join(DTYPES)}"
            )
        if checkpoint is None:
            warnings.warn(
                "no checkpoint given: the scores of random weights mean nothing",
                stacklevel=3,
            )
        else:
            checkpoint = str(checkpoint)
        self.precision = precision
        # What MMAction2 built of the config: no type says what it is.
        self.model = cast(Any, load_recognizer(config, checkpoint, device))
        if not hasattr(self.model.backbone, "step"):
            raise TypeError(
                f"{type(self.model.backbone).__name__} has no step(): streaming needs "
                "a config with LCRBackbone"
            )
        half = precision != "fp32"
        if half:
            # Autocast would convert these weights anew at every frame.
            for module in self.model.backbone.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)):
                    module.to(DTYPES[precision])
        step = self.model.backbone.step
        self.backbone_step = torch.compile(step, dynamic=False) if compiled else step
        self.preprocess = FramePreprocessor(find_test_pipeline(config))
        with_weights = [m for m in self.model.modules() if m._parameters]
        self._ends = with_weights[0], with_weights[-1]
        self._made = self._kinds()
        self.begin(1, 1)

    def prepare(self, frame: np.ndarray, channel_order: str) -> np.ndarray:
        """Run the test pipeline's own transforms."""
        return self.preprocess(frame, channel_order)

    def begin(self, num_streams: int, replicas: int) -> None:
        """Forget all states; frames may then have another size."""
        self.num_streams, self.replicas = num_streams, replicas
        self.state: LCRState | None = None

    def restart(self, streams: np.ndarray) -> None:
        """Start all states of some streams anew."""
        if self.state is not None and len(streams):
            rows = self._rows(streams)
            which = rows.new_zeros(num_streams(self.state), dtype=torch.bool)
            self.state = reset_streams(self.state, which.index_fill(0, rows, True))

    @torch.inference_mode()
    def step(
        self,
        pictures: Sequence[np.ndarray],
        streams: np.ndarray,
        anew: np.ndarray,
        fade: float,
        elapsed: np.ndarray | None = None,
    ) -> np.ndarray:
        """Read a frame of M streams.

        Raises:
            RuntimeError: The model was moved or converted since it was loaded, or is
                in training mode.
        """
        if self.model.training:
            raise RuntimeError(
                "the model is in training mode, where dropout and batch norm change "
                "its answers: call model.eval()"
            )
        if self._kinds() != self._made:
            raise RuntimeError(
                f"the model was loaded as {self._made} and is {self._kinds()} now: ask "
                "for device= and precision= when making the recognizer"
            )
        inputs = normalise(self.model.data_preprocessor, pictures)
        backbone, head = self.model.backbone, self.model.cls_head
        if self.state is None:
            size = tuple(inputs.shape[-2:])
            self.state = backbone.init_state(self.num_streams * self.replicas, size)
        everyone = len(streams) == self.num_streams
        rows = self._rows(streams)
        state = self.state if everyone else select_streams(self.state, rows)
        if anew.any():
            which = torch.from_numpy(anew.reshape(-1)).to(inputs.device)
            state = reset_streams(state, which)
        if elapsed is None:
            elapsed = np.ones(len(streams))
        if fade != 1:
            factors = torch.from_numpy(fade**elapsed)
            state = decay_streams(state, factors.repeat_interleave(self.replicas))
        inputs = inputs.repeat_interleave(self.replicas, dim=0)
        # An interval between all frames is what the model does without times, faster.
        times: tuple[Tensor, ...] = ()
        if (elapsed != 1).any():
            each = np.where(anew, 1.0, elapsed[:, None]).reshape(-1)
            times = (torch.from_numpy(each).to(inputs),)
        half = self.precision != "fp32"
        dtype = DTYPES[self.precision]
        with torch.autocast(inputs.device.type, dtype=dtype, enabled=half):
            feature, after = self.backbone_step(inputs, state, *times)
        # A state keeps its dtypes, whatever the products came in.
        state = map_state(lambda new, old: new.to(old.dtype), after, state)
        self.state = state if everyone else put_streams(self.state, rows, state)
        return head(feature).unflatten(0, (-1, self.replicas)).cpu().numpy()

    def fork(self) -> TorchEngine:
        """An engine of the same model, without streams."""
        other = copy.copy(self)
        other.begin(1, 1)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> TorchEngine:
        """An engine of the same model whose streams have read the same frames."""
        other = copy.copy(self)
        other.state = copy.deepcopy(self.state, memo)
        return other

    def _kinds(self) -> tuple[str, ...]:
        """Device and type of the first and the last weights."""
        weights = [next(iter(x.parameters(recurse=False))) for x in self._ends]
        return tuple(f"{x.device} {x.dtype}" for x in weights)

    def _rows(self, streams: np.ndarray) -> Tensor:
        rows = streams[:, None] * self.replicas + np.arange(self.replicas)
        device = next(self.model.parameters()).device
        return torch.from_numpy(rows.reshape(-1)).to(device)
