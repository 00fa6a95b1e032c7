"""OpenVINO on the CPU."""

from __future__ import annotations

import functools
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


class OpenVINOEngine(ExportedEngine):
    """Runs an exported step in OpenVINO; see :class:`ExportedEngine`.

    ``'bf16'`` is there where the processor has instructions for it.
    """

    name = "openvino"

    def __init__(
        self, path: Path, precision: str = "fp32", threads: int | None = None
    ) -> None:
        import openvino

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
        self._compiled = core.compile_model(model, "CPU", settings)
        self._request = self._compiled.create_infer_request()
        self._tensor = openvino.Tensor
        self.describe(about, inputs)

    def infer(self, inputs: list[np.ndarray], state: State) -> tuple[np.ndarray, State]:
        """Run the step; the next state is written where it stays."""
        after = self.spare.pop() if self.spare else [np.empty_like(x) for x in state]
        request, tensor = self._request, self._tensor
        for i, array in enumerate([*inputs, *state]):
            request.set_input_tensor(i, tensor(array, shared_memory=True))
        for i, array in enumerate(after):
            request.set_output_tensor(i + 1, tensor(array, shared_memory=True))
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
