"""The exported graphs against the model; ONNX itself where it is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from stream_cases import moving_square, write_video

from lcr_mmaction.deployment.graphs import (
    ClipGraph,
    StepGraph,
    traceable,
)
from lcr_mmaction.models import mixers
from lcr_mmaction.models.state import state_tensors
from lcr_mmaction.ops import bi_wkv_naive
from lcr_mmaction.ops.traceable import traceable_bi_wkv
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_mmaction.streaming.pipeline import normalise
from lcr_runtime.running_mean import softmax

ROOT = Path(__file__).parents[2]
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 37, 49])
@pytest.mark.parametrize("per_token", [False, True])
def test_traceable_operator_equals_its_equation(tokens, per_token):
    generator = torch.Generator().manual_seed(tokens)
    r, k, v, w = torch.randn(4, 2, tokens, 3, 8, generator=generator)
    w = -w.exp() if per_token else -w[0, 0].exp()
    u = torch.randn(3, 8, generator=generator)
    expected = bi_wkv_naive(r, k, v, w, u).float()
    result = traceable_bi_wkv(r, k, v, w, u)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


@pytest.fixture
def recognizer(config_file, checkpoint):
    return StreamingRecognizer(config_file, checkpoint, policy="keep", smoothing=0.0)


@torch.no_grad()
def test_graphs_equal_the_model(recognizer):
    frames = moving_square(6)
    expected = [recognizer.update(frame) for frame in frames]
    pictures = torch.from_numpy(np.stack([x.picture for x in expected]))
    mean = recognizer.options.make_mean(1)
    step, clip = StepGraph(recognizer.model).eval(), ClipGraph(recognizer.model).eval()
    with traceable():
        state = list(step.initial.values())
        for t in range(6):
            logits, *state = step(pictures[t : t + 1], *state)
            scores = softmax(mean.add(logits[None].numpy(), np.array([0])))
            np.testing.assert_allclose(scores[0, 0], expected[t].scores, atol=1e-5)
        whole = clip(pictures[None])
    normalised = normalise(recognizer.model.data_preprocessor, list(pictures.numpy()))
    inputs = normalised.transpose(0, 1)[None]
    model = recognizer.model
    scores = model.cls_head(model.backbone(inputs)).softmax(-1)
    torch.testing.assert_close(whole, scores, atol=1e-5, rtol=0)


def test_tracing_puts_the_operator_back():
    operator = mixers.bi_wkv
    with pytest.raises(RuntimeError), traceable():
        assert mixers.bi_wkv is traceable_bi_wkv
        raise RuntimeError
    assert mixers.bi_wkv is operator


def test_preprocessor_that_swaps_channels_is_refused(recognizer):
    recognizer.model.data_preprocessor.to_rgb = True
    with pytest.raises(ValueError, match="to_rgb=False"):
        ClipGraph(recognizer.model)


def run(*command, **variables):
    env = dict(os.environ, **variables)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, env=env, capture_output=True, text=True)


@pytest.mark.slow
@needs_onnx
def test_export_runs_without_torch(make_recognizer, config_file, checkpoint, tmp_path):
    import onnx
    import onnxruntime

    # Short clips make a small graph, which exports faster.
    text = config_file.read_text().replace("clip_len=8", "clip_len=2")
    config_file.write_text(text)
    recognizer = make_recognizer(policy="keep")
    # More frames a second than the model reads: it has to be thinned out.
    video = write_video(tmp_path / "v.mp4", moving_square(100), fps=25)
    tool = ROOT / "tools" / "deployment" / "export_onnx.py"
    out = tmp_path / "onnx"
    variants = ["--int8", "--fp16"]
    done = run(tool, config_file, checkpoint, out, *variants, "--video", video)
    assert done.returncode == 0, done.stderr
    lines = [x.split() for x in done.stdout.splitlines() if "100 outputs" in x]
    steps = ["step.onnx", "step.int8.onnx", "step.fp16.onnx"]
    assert [line[0] for line in lines] == steps
    assert all((out / name.replace("step", "clip")).exists() for name in steps)
    weights = onnx.load(out / "step.fp16.onnx").graph.initializer
    halves = [x for x in weights if x.data_type == onnx.TensorProto.FLOAT16]
    assert halves and all(x.data_type != onnx.TensorProto.FLOAT for x in weights)

    session = onnxruntime.InferenceSession(out / "step.onnx")
    names = [x.name for x in session.get_inputs()]
    state = recognizer.model.backbone.init_state(1, (32, 32))
    assert names == ["input", *state_tensors(state)]
    outputs = [x.name for x in session.get_outputs()]
    assert outputs == ["logits", *(f"next.{name}" for name in names[1:])]

    # The example, with torch out of reach, says what the recognizer says.
    check_example(out / "step.onnx", video, recognizer, tolerance=1e-5)
    # Half precision rounds: 11 bits of mantissa, a few operations in a row.
    check_example(out / "step.fp16.onnx", video, recognizer, tolerance=5e-3)


def check_example(step, video, recognizer, tolerance):
    """Run the example without torch and compare every frame's score."""
    example = ROOT / "demo" / "onnx_stream.py"
    code = (
        "import runpy, sys; sys.modules['torch'] = None;"
        f"sys.argv = ['example', r'{step}', r'{video}'];"
        f"runpy.run_path(r'{example}', run_name='__main__')"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    results = list(recognizer.run(video))
    assert len(lines) == len(results) == 40
    for line, result in zip(lines, results, strict=True):
        label, score = line.split("\t")
        said = recognizer.labels.index(label)
        assert float(score) == pytest.approx(result.scores[said], abs=tolerance)
        assert result.score - result.scores[said] <= tolerance
