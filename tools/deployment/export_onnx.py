"""Export LCR to ONNX: the whole clip, and the step that reads one frame.

The step takes its state as named tensors and returns the next one; state ``x`` goes
in as ``x`` and comes out as ``next.x``. Frames are uint8, channels last, RGB and
edge. Every file is run in ONNX Runtime against PyTorch before it is kept.

Needs ``onnx``, ``onnxscript`` and ``onnxruntime``.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from lcr_mmaction.command_line import (
    add_label_file,
    input_file,
    model_parser,
    output_folder,
    positive,
)
from lcr_mmaction.deployment.graphs import ClipGraph, StepGraph, traceable
from lcr_mmaction.streaming import FramePreprocessor, StreamOptions
from lcr_runtime import open_source
from lcr_runtime.preprocess import find_test_pipeline


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = model_parser(__doc__)
    parser.add_argument("out", type=output_folder, help="folder to write to")
    parser.add_argument(
        "--int8", action="store_true", help="also write variants with int8 weights"
    )
    parser.add_argument(
        "--fp16", action="store_true", help="also write variants in half precision"
    )
    add_label_file(parser)
    parser.add_argument(
        "--video", type=input_file, help="video to check on; moving noise without one"
    )
    parser.add_argument(
        "--frames", type=positive(int), default=100, help="frames to check on"
    )
    parser.add_argument(
        "--tolerance",
        type=positive(float),
        default=1e-4,
        help="largest difference allowed",
    )
    return parser.parse_args()


def raw_frames(video: Path | None, count: int) -> list[np.ndarray]:
    """BGR frames to check on: a video, over again if short, or drifting blobs."""
    frames = []
    if video:
        with open_source(video) as source:
            frames = [frame.image for frame in itertools.islice(source, count)]
    else:
        noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
        blobs = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)
        frames = [np.roll(blobs, (2 * t, 5 * t), (0, 1)) for t in range(count)]
    return list(itertools.islice(itertools.cycle(frames), count))


def export(
    graph: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    metadata: dict[str, str],
    path: Path,
) -> None:
    """Write one ONNX file, weights inside."""
    arguments = tuple(inputs.values())
    with traceable(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            arguments,
            input_names=list(inputs),
            output_names=outputs,
            dynamo=True,
            verbose=False,
        )
    program.save(str(path), external_data=False)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    # The exporter's notes on inner shapes can contradict what it has folded since.
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def quantize(path: Path) -> Path:
    """Write a variant whose linear layers have int8 weights."""
    target = path.with_suffix(".int8.onnx")
    quantize_dynamic(
        path,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    return target


def halve(path: Path) -> Path:
    """Write a variant that stores and computes in half precision.

    Inputs and outputs, the state among them, stay float32, so that whatever runs
    the file runs its variant.
    """
    target = path.with_suffix(".fp16.onnx")
    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), target)
    return target


def session_of(path: Path) -> onnxruntime.InferenceSession:
    """Load a file for the CPU."""
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run_steps(path: Path, step: StepGraph, frames: np.ndarray) -> np.ndarray:
    """Logits of every frame in ONNX Runtime, the state handed on."""
    session = session_of(path)
    state = {name: x.numpy() for name, x in step.initial.items()}
    logits = []
    for frame in frames:
        now, *after = session.run(None, {"input": frame[None], **state})
        state = dict(zip(state, after, strict=True))
        logits.append(now[0])
    return np.array(logits)


def run_clips(path: Path, frames: np.ndarray, clip_len: int) -> np.ndarray:
    """Scores of consecutive clips in ONNX Runtime."""
    session = session_of(path)
    clips = frames[: len(frames) // clip_len * clip_len]
    clips = clips.reshape(-1, 1, clip_len, *frames.shape[1:])
    return np.array([session.run(None, {"clip": clip})[0][0] for clip in clips])


@torch.no_grad()
def reference(
    model: torch.nn.Module, step: StepGraph, frames: np.ndarray, clip_len: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same in PyTorch, by the model itself: logits of steps, scores of clips."""
    state, steps = list(step.initial.values()), []
    for frame in torch.from_numpy(frames):
        logits, *state = step(frame[None], *state)
        steps.append(logits[0].numpy())
    whole = torch.from_numpy(frames[: len(frames) // clip_len * clip_len])
    clips = []
    for frames_of_clip in whole.split(clip_len):
        inputs = step.normalise(frames_of_clip[None]).permute(0, 4, 1, 2, 3)
        score = model.cls_head(model.backbone(inputs)).softmax(dim=-1)
        clips.append(score[0].numpy())
    return np.array(steps), np.array(clips)


def report(path: Path, scores: np.ndarray, expected: np.ndarray) -> float:
    """Print how a file compares with PyTorch; return the largest difference."""
    worst = float(np.abs(scores - expected).max())
    agreed = float((scores.argmax(1) == expected.argmax(1)).mean())
    print(
        f"{path.name:<20}{path.stat().st_size / 2**20:7.2f} MiB   {len(scores)} "
        f"outputs: largest difference {worst:.1e}, same class {agreed:.1%}"
    )
    return worst


def main() -> None:
    """Export, check and report."""
    args = parse_args()
    config = Config.fromfile(args.config)
    options = StreamOptions.from_config(config, labels=args.label_file)
    model = init_recognizer(config, args.checkpoint, device="cpu")
    preprocess, clip_len = (
        FramePreprocessor(find_test_pipeline(config)),
        options.clip_len,
    )
    count = max(args.frames, clip_len)
    frames = np.array([preprocess(x) for x in raw_frames(args.video, count)])
    size = frames.shape[1:3]
    step, clip = StepGraph(model, 1, size).eval(), ClipGraph(model).eval()

    kept = dataclasses.replace(options, policy="keep")
    metadata = {
        # How logits become scores and events: StreamOptions.
        "stream": json.dumps(options.as_dict()),
        # For whoever keeps one state and no policy: what the running mean of the
        # logits keeps from frame to frame.
        "average": json.dumps(kept.make_mean(1).factor),
        "labels": json.dumps(options.labels),
        "fps": json.dumps(options.fps),
        "transforms": json.dumps(preprocess.steps),
    }
    step_path, clip_path = args.out / "step.onnx", args.out / "clip.onnx"
    sample = torch.from_numpy(frames[:clip_len])
    inputs = {"input": sample[:1], **step.initial}
    after = [f"next.{name}" for name in step.state_names]
    export(step, inputs, ["logits", *after], metadata, step_path)
    export(clip, {"clip": sample[None]}, ["scores"], metadata, clip_path)

    steps, clips = reference(model, step, frames, clip_len)
    worst = max(
        report(step_path, run_steps(step_path, step, frames), steps),
        report(clip_path, run_clips(clip_path, frames, clip_len), clips),
    )
    # Smaller numbers change scores; how much is reported, not judged.
    for convert in [quantize] * args.int8 + [halve] * args.fp16:
        small = convert(step_path)
        report(small, run_steps(small, step, frames), steps)
        small = convert(clip_path)
        report(small, run_clips(small, frames, clip_len), clips)
    if worst > args.tolerance:
        sys.exit(
            f"export_onnx: outputs differ from PyTorch's by {worst:.1e}, more than "
            f"--tolerance {args.tolerance:.1e}"
        )


if __name__ == "__main__":
    main()
