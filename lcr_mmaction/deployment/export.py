"""A trained model as one ONNX file that streams need nothing else for."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from lcr_runtime import StreamOptions
from lcr_runtime.engines import open_engine
from lcr_runtime.engines.exported import TIME
from lcr_runtime.engines.seal import seal
from lcr_runtime.preprocess import PlainPreprocessor
from lcr_runtime.shipped import SHIPPED

from ..config_files import read_config
from ..models.vision_rwkv.normalised_wkv import traceable_normalised_bi_wkv
from ..ops.traceable import traceable_bi_wkv
from ..streaming.torch_engine import TorchEngine
from ..version import __version__
from .graphs import StepGraph
from .shipped import shipped_model

NEEDS = "pip install 'lcr-mmaction[export]'"
_FOLD = 2**24  # bytes a constant may take: all that places and weights give


class Step(Protocol):
    """A module that reads one frame, with its state as tensors.

    ``forward(frame, elapsed, *state)`` takes a frame ``[1, H, W, C]`` uint8 and the
    time since the last ``[1]``, and gives logits ``[1, num_classes]`` and the next
    state.

    Attributes:
        initial: The state before the first frame, by name: zeros.
        recurrent_names: Names of what a policy lets fade.
    """

    initial: dict[str, Tensor]

    @property
    def recurrent_names(self) -> list[str]:
        """Names of what a policy lets fade."""


def export_step(
    model: nn.Module,
    options: StreamOptions,
    transforms: list[dict],
    size: tuple[int, int, int],
    path: str | PathLike,
    source: dict[str, str] | None = None,
) -> StepGraph:
    """Write the step of a model; see :func:`write_step`.

    Args:
        model: A recognizer with ``LCRBackbone`` and ``LCRHead``.
        options: How its logits become scores and events.
        transforms: Configs of those that act on frames.
        size: ``(height, width, channels)`` of what the transforms give.
        path: The file.
        source: What the model was made from.

    Returns:
        The graph, which computes the same in PyTorch.
    """
    graph = StepGraph(model, size[:2])
    write_step(graph, options, transforms, size, path, source)
    return graph


def write_step(
    graph: Step,
    options: StreamOptions,
    transforms: list[dict],
    size: tuple[int, int, int],
    path: str | PathLike,
    source: dict[str, str] | None = None,
) -> None:
    """Write a step as a file that :mod:`lcr_runtime` reads.

    Args:
        graph: The step, in evaluation mode.
        options: How its logits become scores and events.
        transforms: Configs of those that act on frames, see
            :func:`lcr_runtime.preprocess.frame_steps`.
        size: ``(height, width, channels)`` of what the transforms give.
        path: The file; one that is there is replaced when all is done.
        source: What the model was made from, such as config and checkpoint.

    Raises:
        ModuleNotFoundError: ``onnx`` or ``onnxscript`` are not installed.
        ValueError: The model does not fit.
    """
    try:
        import onnx
        import onnxscript.optimizer as optimizer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"export needs {error.name}: {NEEDS}") from error
    PlainPreprocessor(transforms)  # what the runtime cannot do is said now
    with warnings.catch_warnings(), _quiet("onnxscript", "torch.onnx"):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            step_program(graph, size),
            input_names=["frame", TIME, *graph.initial],
            output_names=["logits", *(f"next.{x}" for x in graph.initial)],
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        optimizer.optimize(
            program.model, input_size_limit=_FOLD, output_size_limit=_FOLD
        )
    proto = program.model_proto
    metadata: dict[str, Any] = {
        "stream": options.as_dict(),
        "transforms": transforms,
        "recurrent": graph.recurrent_names,
        "made": {"lcr-mmaction": __version__, "torch": torch.__version__}
        | (source or {}),
    }
    onnx.helper.set_model_props(proto, {k: json.dumps(v) for k, v in metadata.items()})
    # The exporter's notes on inner shapes can contradict what it has folded since.
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_bytes(seal(proto.SerializeToString()))
    part.replace(path)


class Report(NamedTuple):
    """How an exported file compares with PyTorch.

    Attributes:
        nodes: Operators in its graph.
        difference: Largest difference of a logit.
        span: Largest logit less the smallest.
        agreed: Share of frames of the same class, 0..1.
    """

    nodes: int
    difference: float
    span: float
    agreed: float


def export_checked(
    config: str | PathLike,
    checkpoint: str | PathLike,
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    labels: str | PathLike | None = None,
    tolerance: float = 1e-4,
) -> Report:
    """Write a model's step, and keep it if ONNX Runtime agrees with PyTorch.

    Args:
        config: An LCR config; ``'shipped'`` for the package's own.
        checkpoint: Its weights, or ``'shipped'``.
        path: File to write.
        frames: BGR frames of one stream to compare on, from raw pixels to logits.
        labels: File with the name of one class a line; default: the config's.
        tolerance: Largest difference of a logit.

    Raises:
        ValueError: The model does not fit, or the results differ.
        ModuleNotFoundError: A package that export needs is not installed.
    """
    shipped = shipped_model()
    config = shipped.config if config == SHIPPED else config
    checkpoint = shipped.checkpoint if checkpoint == SHIPPED else checkpoint
    settings = read_config(config)
    options = StreamOptions.from_config(settings, labels=labels)
    model = TorchEngine(settings, checkpoint)
    height, width = frames[0].shape[:2]
    steps, size = model.preprocess.steps, model.preprocess.find_size(height, width)
    source = {"config": Path(config).name, "checkpoint": Path(checkpoint).name}
    draft = path.with_name(f"{path.stem}.unchecked.onnx")
    try:
        export_step(model.model, options, steps, size, draft, source)
        engine = open_engine(draft, "onnxruntime")
        stream, anew = np.array([0]), np.zeros((1, 1), bool)
        logits = np.array(
            [
                [
                    runs.step([runs.prepare(x, "bgr")], stream, anew, 1.0)[0, 0]
                    for x in frames
                ]
                for runs in (model, engine)
            ]
        )
        expected, found = logits
        worst = float(np.abs(found - expected).max())
        if not worst <= tolerance:
            raise ValueError(
                f"{path} is not written: its logits differ from PyTorch's by "
                f"{worst:.1e}, more than {tolerance:.1e}"
            )
        import onnx

        nodes = len(onnx.load(draft, load_external_data=False).graph.node)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    agreed = float((expected.argmax(1) == found.argmax(1)).mean())
    return Report(nodes, worst, float(np.ptp(expected)), agreed)


def step_program(
    graph: Step, size: tuple[int, int, int]
) -> torch.export.ExportedProgram:
    """Trace a step in PyTorch's standard operators alone.

    Args:
        graph: The step.
        size: ``(height, width, channels)`` of its frame.
    """
    frame = torch.zeros(1, *size, dtype=torch.uint8)
    with torch.no_grad():
        arguments = (frame, torch.ones(1), *graph.initial.values())
        program = torch.export.export(cast(nn.Module, graph), arguments, strict=False)
        # What no part has written out already: decays a token, other mixers.
        table = torch.export.default_decompositions()
        table[torch.ops.lcr.bi_wkv.default] = _standard_bi_wkv
        table[torch.ops.lcr.normalised_bi_wkv.default] = traceable_normalised_bi_wkv
        return program.run_decompositions(table)


def _standard_bi_wkv(r, k, v, w, u, *, backend="auto"):  # noqa: ANN001, ANN202
    return traceable_bi_wkv(r, k, v, w, u)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep the notes of loggers to themselves."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
