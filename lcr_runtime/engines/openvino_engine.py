"""OpenVINO on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .exported import ExportedEngine, State


@functools.cache
def _core() -> Any:
    """OpenVINO's core, one for all engines of the process, and never given up.

    Its processor plugin puts an alternate signal stack under the thread that makes it
    and unmaps that stack at its own end, whoever has it by then: with a core for each
    engine, the next signal after two of them had gone (of an ended child process, say)
    killed the process.
    """
    import openvino

    return openvino.Core()


def _tensor(array: np.ndarray) -> Any:
    """An OpenVINO tensor in the memory of an array."""
    from openvino import Tensor, Type

    if array.dtype == np.uint16:
        return Tensor(array, array.shape, Type.bf16)
    return Tensor(array, shared_memory=True)


class _WrittenState(list[np.ndarray]):
    """A state that steps write again and again, beside OpenVINO's tensors of it.

    A small step takes little longer than it takes to make these.
    """

    def __init__(self, arrays: Iterable[np.ndarray]) -> None:
        super().__init__(arrays)
        self.tensors = [_tensor(array) for array in self]


class OpenVINOEngine(ExportedEngine):
    """Runs an exported step in OpenVINO; see :class:`ExportedEngine`.

    ``'bf16'`` is there where the processor has instructions for it. States that no
    policy fades are then kept in it, as the step rounds them to it anyway: their arrays
    hold its bits as uint16.
    """

    name = "openvino"

    def __init__(
        self, path: Path, precision: str = "fp32", threads: int | None = None
    ) -> None:
        core = _core()
        if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            self.precisions = ("fp32", "bf16")
        super().__init__(path, precision, threads)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned threads wait where something else has their processor.
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            model = core.read_model(str(path))
        except RuntimeError as error:
            raise ValueError(f"{path} cannot be read as a model: {error}") from error
        about = self._metadata(model)
        inputs = [(x.any_name, list(x.shape)) for x in model.inputs]
        self.describe(about, inputs)
        if precision == "bf16":
            model = self._with_half_states(model)
        self._compiled = core.compile_model(model, "CPU", settings)
        self._request = self._compiled.create_infer_request()

    def _with_half_states(self, model: Any) -> Any:
        """Let the step take and give states in bf16, all but the recurrent part."""
        from openvino import Type
        from openvino.preprocess import PrePostProcessor

        change = PrePostProcessor(model)
        first = len(self.input_names)  # of the states; outputs begin with the logits
        for i, fades in enumerate(self._fades):
            if not fades:
                change.input(first + i).tensor().set_element_type(Type.bf16)
                change.output(i + 1).tensor().set_element_type(Type.bf16)
                self._zeros[i] = np.zeros(self._zeros[i].shape, np.uint16)
        self.begin(1, 1)
        return change.build()

    def infer(self, inputs: list[np.ndarray], state: State) -> tuple[np.ndarray, State]:
        """Run the step; the next state is written where it stays."""
        after = self.spare.pop() if self.spare else None
        if not isinstance(after, _WrittenState):
            after = _WrittenState(np.empty_like(x) for x in state)
        before = (
            state.tensors
            if isinstance(state, _WrittenState)
            else [_tensor(x) for x in state]
        )
        request = self._request
        for i, tensor in enumerate([*map(_tensor, inputs), *before]):
            request.set_input_tensor(i, tensor)
        for i, tensor in enumerate(after.tensors):
            request.set_output_tensor(i + 1, tensor)
        request.infer()
        return request.get_output_tensor(0).data.copy(), after

    def fork(self) -> OpenVINOEngine:
        """An engine of the same weights, without streams; runs beside this one."""
        other = super().fork()
        assert isinstance(other, OpenVINOEngine)
        other._request = self._compiled.create_infer_request()
        return other

    @staticmethod
    def _metadata(model: Any) -> dict[str, str]:
        """ONNX metadata, as OpenVINO keeps it; it is a mapping without ``get``."""
        try:
            found = model.rt_info["framework"]
        except (KeyError, RuntimeError):
            return {}
        return {key: value.astype(str) for key, value in found.items()}
