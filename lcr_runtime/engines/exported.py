"""Engines that run exported files."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..options import StreamOptions
from ..preprocess import PlainPreprocessor
from .engine import Engine
from .seal import is_sealed

State = list[np.ndarray]
TIME = "elapsed"


class ExportedEngine(Engine):
    """Runs the step of an exported file, one state at a time.

    A subclass loads the file, then calls :meth:`describe`, and gives :meth:`infer`.

    Args:
        path: An ONNX file that ``lcr export`` wrote.
        precision: See :class:`Engine`.
        threads: Threads of a step; None leaves the number to the engine.

    Attributes:
        options: How logits become scores and events.
        made: What the file was made from and with.
        timed: Whether it takes the time between frames.
        state_shapes: Shapes of the state's tensors by name.
        recurrent: Names of those that a policy lets fade.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no exported step, was changed since, or the precision is
            not there.
    """

    precisions: tuple[str, ...] = ("fp32",)

    def __init__(
        self, path: Path, precision: str = "fp32", threads: int | None = None
    ) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"no model file at {path}")
        if precision not in self.precisions:
            raise ValueError(
                f"precision={precision!r}: engine {self.name!r} has "
                f"{', '.join(self.precisions)} here"
            )
        if not is_sealed(path.read_bytes()):
            raise ValueError(
                f"{path} is not a model as `lcr export` of this version wrote it: its "
                "checksum is missing or wrong. Copy or download it again, or export "
                "the model anew"
            )
        self.path, self.precision, self.threads = path, precision, threads

    def describe(
        self, about: Mapping[str, str], inputs: Sequence[tuple[str, Sequence[int]]]
    ) -> None:
        """Take what the file says of itself.

        Args:
            about: Its metadata: JSON by name.
            inputs: Names and shapes of its inputs: the frame, the time elapsed where
                the file takes it, then the state.

        Raises:
            ValueError: The metadata is not that of an exported step.
        """
        missing = {"stream", "transforms", "recurrent", "made"} - set(about)
        if missing or inputs[0][0] != "frame":
            raise ValueError(
                f"{self.path} is not a model that `lcr export` of this version wrote: "
                f"it lacks {', '.join(sorted(missing)) or 'the frame'}"
            )
        values: dict[str, Any] = {key: json.loads(text) for key, text in about.items()}
        self.options = StreamOptions(**values["stream"])
        self.made: dict[str, str] = values["made"]
        self.preprocess = PlainPreprocessor(values["transforms"])
        self.picture_shape = tuple(inputs[0][1][1:])
        # Files of earlier versions know no time: to them all frames are an interval
        # apart.
        self.timed = inputs[1:2] != [] and inputs[1][0] == TIME
        self.input_names = [name for name, _ in inputs[: 1 + self.timed]]
        inputs = inputs[1 + self.timed :]
        self.state_shapes = {name: list(shape) for name, shape in inputs}
        self.state_names = list(self.state_shapes)
        self.recurrent: list[str] = values["recurrent"]
        self._zeros = [np.zeros(shape, np.float32) for _, shape in inputs]
        self._fades = [name in self.recurrent for name in self.state_names]
        self.begin(1, 1)

    @abstractmethod
    def infer(self, inputs: list[np.ndarray], state: State) -> tuple[np.ndarray, State]:
        """Run the step.

        Args:
            inputs: Those of :attr:`input_names`: the frame, ``[1, H, W, C]`` uint8, and
                the time since the last one, ``[1]``, where the file takes it.
            state: Not changed.

        Returns:
            Logits ``[1, num_classes]`` and the next state, in arrays of their own.
        """

    def prepare(self, frame: np.ndarray, channel_order: str) -> np.ndarray:
        """Run the model's transforms in OpenCV, as MMAction2's test does."""
        picture = self.preprocess(frame, channel_order)
        if picture.shape != self.picture_shape:
            raise ValueError(
                f"a frame of {frame.shape[1]}x{frame.shape[0]} becomes a picture of "
                f"shape {picture.shape}, but the model was exported for "
                f"{self.picture_shape}: give frames of the ratio it was exported for, "
                "or export a model whose pipeline ends its geometry in one size"
            )
        return picture

    def begin(self, num_streams: int, replicas: int) -> None:
        """Forget all states."""
        self._states = [[self._zeros] * replicas for _ in range(num_streams)]
        # Memory of states that were read: new memory for every frame costs page faults.
        self.spare: list[State] = []

    def restart(self, streams: np.ndarray) -> None:
        """Start all states of some streams anew."""
        for stream in streams:
            self._states[stream] = [self._zeros] * len(self._states[stream])

    def step(
        self,
        pictures: Sequence[np.ndarray],
        streams: np.ndarray,
        anew: np.ndarray,
        fade: float,
        elapsed: np.ndarray | None = None,
    ) -> np.ndarray:
        """Read a frame of M streams, one state after the other."""
        logits = []
        times = np.ones(len(streams)) if elapsed is None else elapsed
        rows = zip(pictures, streams, anew, times, strict=True)
        for picture, stream, restarts, time in rows:
            frame, states = np.ascontiguousarray(picture)[None], self._states[stream]
            for replica, restart in enumerate(restarts):
                state = self._zeros if restart else states[replica]
                # The zeros are everybody's, and must not become memory to spare.
                if fade != 1 and state is not self._zeros:
                    state = self._faded(state, fade**time)
                inputs = [frame]
                if self.timed:
                    inputs.append(np.full(1, 1.0 if restart else time, np.float32))
                answer, states[replica] = self.infer(inputs, state)
                if state is not self._zeros:
                    self.spare.append(state)
                logits.append(answer[0])
        return np.reshape(logits, (*anew.shape, -1))

    def fork(self) -> ExportedEngine:
        """An engine of the same weights, without streams."""
        other = copy.copy(self)
        other.begin(1, 1)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> ExportedEngine:
        """An engine of the same weights whose streams have read the same frames."""
        other = self.fork()
        # The arrays of a state that was read are written again.
        other._states = [
            [s if s is self._zeros else [x.copy() for x in s] for s in states]
            for states in self._states
        ]
        return other

    def _faded(self, state: State, fade: float) -> State:
        factor = np.float32(fade)
        return [
            x * factor if fades else x
            for x, fades in zip(state, self._fades, strict=True)
        ]
