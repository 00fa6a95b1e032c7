"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .exported import ExportedEngine, State


class ONNXRuntimeEngine(ExportedEngine):
    """Runs an exported step in ONNX Runtime; see :class:`ExportedEngine`."""

    name = "onnxruntime"

    def __init__(
        self, path: Path, precision: str = "fp32", threads: int | None = None
    ) -> None:
        super().__init__(path, precision, threads)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no class but this
            raise ValueError(f"{path} cannot be read as a model: {error}") from error
        self.describe(
            self._session.get_modelmeta().custom_metadata_map,
            [(x.name, x.shape) for x in self._session.get_inputs()],
        )

    def infer(self, inputs: list[np.ndarray], state: State) -> tuple[np.ndarray, State]:
        """Run the step."""
        names = [*self.input_names, *self.state_names]
        feed = dict(zip(names, [*inputs, *state], strict=True))
        logits, *after = self._session.run(None, feed)
        self.spare.clear()  # it brings memory of its own
        return logits, after
