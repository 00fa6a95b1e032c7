"""Recognition of streams from a config and a checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmengine import Config

from lcr_runtime import StreamOptions, StreamRecognizer
from lcr_runtime.engines import EXPORTED_ENGINES, Engine, open_engine

from ..config_files import read_config
from .torch_engine import TorchEngine

if TYPE_CHECKING:
    from torch import nn

ENGINES = ("torch", *EXPORTED_ENGINES, "auto")


class StreamingRecognizer(StreamRecognizer):
    """Recognise gestures in streams of frames, at a constant cost a frame.

    What is None comes from the config's ``streaming`` dict, which has the same
    keys, or else from the defaults named here.

    Args:
        config: An LCR config, or its file.
        checkpoint: Weights; None leaves them random, with a warning.
        device: Where to compute; other engines than PyTorch do so on the CPU.
        engine: ``'torch'``, or one that the model is exported for first, which takes
            from seconds to minutes: ``'onnxruntime'``, ``'openvino'``, or ``'auto'``
            for the fastest of these that is installed. An exported file opens at
            once: :func:`lcr_runtime.load_recognizer`.
        precision: ``'fp32'``, ``'bf16'`` or ``'fp16'``, where the engine has it.
        compiled: Compile PyTorch's step with ``torch.compile`` at the first frame.
            Needs a C++ compiler and about a minute; each number and size of frames
            that comes later is compiled once more.
        num_streams: Streams in the batch.
        channel_order: ``'bgr'`` (OpenCV's) or ``'rgb'``, of arrays given.
        labels: Names of the classes or a file with one a line. Default: of the
            test data set's ``metainfo``; else the indices.
        fps: Frames per second that the model was trained on; cameras and videos
            are thinned out to it. Default: every frame.
        policy: What becomes of the state in an endless video: a key of
            :data:`lcr_runtime.POLICIES` or ``dict(name=key, **options)``.
        smoothing: Share of the past in the exponential moving average of the
            probabilities, in [0, 1). Default 0.5.
        events: Options of :class:`lcr_runtime.EventDetector`.

    Raises:
        ValueError: An option or the config does not fit.
        TypeError: The config's backbone cannot step.
        ModuleNotFoundError: The engine is not installed.
    """

    def __init__(
        self,
        config: str | PathLike | Config,
        checkpoint: str | PathLike | None = None,
        device: str | torch.device = "cpu",
        *,
        engine: str = "torch",
        precision: str = "fp32",
        compiled: bool = False,
        num_streams: int = 1,
        channel_order: str = "bgr",
        labels: str | PathLike | Sequence[str] | None = None,
        fps: float | None = None,
        policy: str | dict | None = None,
        smoothing: float | None = None,
        events: dict | None = None,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(
                f"engine={engine!r} is unknown: choose one of {', '.join(ENGINES)}"
            )
        if not isinstance(config, Config):
            config = read_config(config)
        # What does not fit is said before weights are read.
        options = StreamOptions.from_config(
            config,
            labels=labels,
            fps=fps,
            policy=policy,
            smoothing=smoothing,
            events=events,
        )
        plain = engine == "torch"
        model = TorchEngine(
            config, checkpoint, device, precision if plain else "fp32", compiled
        )
        self.model: nn.Module = model.model
        runs: Engine = model if plain else _exported(model, options, engine, precision)
        super().__init__(runs, options, num_streams, channel_order)


def _exported(
    model: TorchEngine, options: StreamOptions, engine: str, precision: str
) -> Engine:
    """Export a model for an engine."""
    from ..deployment.export import export_step

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        size = model.preprocess.find_size()
        export_step(model.model, options, model.preprocess.steps, size, path)
        return open_engine(path, engine, precision)
