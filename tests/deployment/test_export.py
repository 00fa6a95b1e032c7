"""The exported step against PyTorch, from raw frames to events."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.models import Recognizer3D
from mmaction.registry import MODELS
from stream_cases import CONFIG, moving_square, write_video

from lcr_mmaction.deployment.graphs import StepGraph
from lcr_mmaction.deployment.parts import WKV
from lcr_mmaction.models import LCRBackbone, LCRDataPreprocessor, LCRHead
from lcr_mmaction.ops import bi_wkv_naive
from lcr_mmaction.ops.traceable import traceable_bi_wkv
from lcr_runtime import load_recognizer
from lcr_runtime.engines.seal import seal
from lcr_runtime.shipped import shipped_file

ROOT = Path(__file__).parents[2]
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")
ENGINES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"needs {name}"
        ),
    )
    for name in ("onnxruntime", "openvino")
]


SMALL = dict(embed_dims=12, num_layers=2, num_heads=3, mlp_ratio=2)


def random_heads(tokens, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 2, tokens, 3, 8, generator=generator)


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 37, 49])
@pytest.mark.parametrize("per_token", [False, True])
def test_traceable_operator_equals_its_equation(tokens, per_token):
    r, k, v, w = random_heads(tokens, tokens)
    w = -w.exp() if per_token else -w[0, 0].exp()
    u = random_heads(1, 1)[0, 0, 0]
    expected = bi_wkv_naive(r, k, v, w, u).float()
    result = traceable_bi_wkv(r, k, v, w, u)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fastest", [0.01, 1.65, 6.0, 40.0, 1000.0])
@pytest.mark.parametrize("tokens", [1, 16, 37, 49])
def test_the_operator_in_chunks_equals_its_equation(tokens, fastest):
    r, k, v, w = random_heads(tokens, tokens)
    w, u = -fastest * torch.sigmoid(w[0, 0]), w[1, 0]
    w[0, 0] = -fastest
    expected = bi_wkv_naive(r, k, v, w, u).float()
    part = WKV(w, u, tokens)
    assert part.num_chunks > 1 or min(fastest, 81) * tokens < 200
    heads = zip(*(x.transpose(1, 2) for x in (r, k, v)), strict=True)
    result = torch.stack([part(*x) for x in heads]).transpose(1, 2)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(readout="cls", kv_source="edge"),
        dict(block="plain", positions="none"),
        dict(block="feedback"),
        dict(block="paper", cell="bounded", readout="cls"),
        dict(token_shift="q_shift", patch_embed="patch"),
        dict(mixer="rwkv_dynamic", token_shift="none"),
        dict(mixer="attention", cell="none"),
    ],
    ids=str,
)
def test_the_graph_equals_the_model(options):
    torch.manual_seed(0)
    backbone = dict(type=LCRBackbone, arch=SMALL, img_size=(32, 48), patch_size=8)
    head = dict(type=LCRHead, num_classes=4, in_channels=24)
    normalisation = dict(mean=[120, 110, 100, 0], std=[58, 57, 56, 255])
    preprocessor = dict(type=LCRDataPreprocessor, **normalisation)
    model = MODELS.build(
        dict(
            type=Recognizer3D,
            backbone=backbone | options,
            cls_head=head,
            data_preprocessor=preprocessor,
        )
    ).eval()
    for name, tensor in model.named_parameters():
        if "decay_speed" not in name:  # norms and biases that are not 1 and 0
            tensor.add_(torch.randn_like(tensor), alpha=0.1)
    step = StepGraph(model)
    state, expected = list(step.initial.values()), model.backbone.init_state(1)
    mean, std = (torch.tensor(normalisation[x]) for x in ("mean", "std"))
    frames = torch.randint(0, 256, (4, 1, 32, 48, 4), dtype=torch.uint8)
    for frame, time in zip(frames, (1.0, 1.0, 0.3, 2.5), strict=True):
        elapsed = torch.tensor([time])
        logits, *state = step(frame, elapsed, *state)
        inputs = ((frame - mean) / std).permute(0, 3, 1, 2)
        feature, expected = model.backbone.step(inputs, expected, elapsed)
        torch.testing.assert_close(
            logits, model.cls_head(feature), atol=1e-5, rtol=1e-5
        )


def test_a_preprocessor_that_swaps_channels_is_refused(make_recognizer):
    recognizer = make_recognizer()
    recognizer.model.data_preprocessor.to_rgb = True
    with pytest.raises(ValueError, match="to_rgb=False"):
        StepGraph(recognizer.model)


def run(*arguments, **variables):
    env = dict(os.environ, **variables)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A config, its weights, and the file that the command made of them."""
    from mmaction.apis import init_recognizer
    from stream_cases import lively

    folder = tmp_path_factory.mktemp("export")
    config, weights = folder / "small.py", folder / "small.pth"
    events = "streaming.update(events=dict(on=0.1, off=0.05, background=[]))\n"
    config.write_text(CONFIG + events)
    model = lively(init_recognizer(str(config), device="cpu"))
    torch.save(dict(state_dict=model.state_dict(), meta={}), weights)
    path = folder / "model.onnx"
    done = run("-m", "lcr_runtime", "export", config, weights, path, "--frames", 20)
    assert done.returncode == 0, done.stderr
    assert "same class 100.0%" in done.stdout
    return config, weights, path


@needs_onnx
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("policy", ["staggered", "decay", "reset_on_background"])
def test_engines_say_what_pytorch_says(exported, engine, policy):
    from lcr_mmaction.streaming import StreamingRecognizer

    config, weights, path = exported
    frames = moving_square(100)
    expected = StreamingRecognizer(config, weights, policy=policy)
    found = load_recognizer(path, engine, policy=policy)
    assert found.engine.name == engine
    pairs = zip(expected.run(frames), found.run(frames), strict=True)
    events: tuple = ([], [])
    for left, right in pairs:
        np.testing.assert_array_equal(left.picture, right.picture)
        np.testing.assert_allclose(left.scores, right.scores, atol=2e-5)
        for seen, result in zip(events, (left, right), strict=True):
            seen += [(e.phase, e.label, e.start, e.end) for e in result.events]
    assert events[0] == events[1] and events[0]


@needs_onnx
@pytest.mark.parametrize("engine", ENGINES)
def test_streams_of_a_batch_and_forks_are_independent(exported, engine):
    path = exported[2]
    alone = load_recognizer(path, engine)
    expected = [x.scores for x in alone.run(moving_square(4))]
    pair = load_recognizer(path, engine, num_streams=2)
    other = pair.fork()
    other.update_batch([None, 255 - moving_square(1)[0]])
    for t, frame in enumerate(moving_square(4)):
        late = moving_square(4)[t - 2] if t > 1 else None
        now = pair.update_batch([frame, late])
        other.update_batch([None, 255 - frame])
        np.testing.assert_array_equal(now[0].scores, expected[t])
        if t > 1:
            np.testing.assert_array_equal(now[1].scores, expected[t - 2])
    pair.reset([0])
    now = pair.update_batch([moving_square(1)[0], None])
    np.testing.assert_array_equal(now[0].scores, expected[0])


@needs_onnx
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("policy", ["keep", dict(name="decay", half_life=3)])
def test_a_stream_read_anew_gives_the_same(engine, precision, policy):
    try:
        first = load_recognizer(shipped_file(), engine, precision, 1, policy=policy)
    except ValueError as error:
        pytest.skip(str(error))
    exact = load_recognizer(shipped_file(), engine, "fp32", 1, policy=policy)
    frames = moving_square(6)
    expected = [x.scores for x in exact.run(frames)]
    once = [x.scores for x in first.run(frames)]
    np.testing.assert_allclose(once, expected, atol=0.03)
    for recognizer in (first, first.fork()):
        again = [x.scores for x in recognizer.run(frames)]
        np.testing.assert_array_equal(again, once)


@needs_onnx
@pytest.mark.slow
def test_a_file_runs_with_pytorch_out_of_reach(exported, tmp_path):
    video = write_video(tmp_path / "v.mp4", moving_square(20))
    out = tmp_path / "seen.mp4"
    code = (
        "import sys; sys.modules['torch'] = sys.modules['mmaction'] = None;"
        "from lcr_runtime.commands.main import main;"
        f"main(['stream', {video!r}, '--model', {str(exported[2])!r},"
        f" '--out', {str(out)!r}, '--events', '-'])"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert "20 frames" in done.stderr and '"phase": "start"' in done.stdout
    assert out.stat().st_size > 1000


@needs_onnx
def test_what_does_not_fit_is_said(exported, tmp_path):
    import onnx

    path = exported[2]
    with pytest.raises(FileNotFoundError, match="none.onnx"):
        load_recognizer("none.onnx")
    with pytest.raises(ValueError, match="engine='best'"):
        load_recognizer(path, "best")
    with pytest.raises(ValueError, match="precision='bf16'.*fp32"):
        load_recognizer(path, "onnxruntime", "bf16")
    with pytest.raises(ValueError, match="2 labels for the 4 classes"):
        load_recognizer(path, labels=["a", "b"])
    with pytest.raises(TypeError, match="fsp"):
        load_recognizer(path, fsp=3)
    model = onnx.load(path)
    del model.metadata_props[:]
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(seal(model.SerializeToString()))
    with pytest.raises(ValueError, match="lcr export.*lacks"):
        load_recognizer(bare, "onnxruntime")
    noise = tmp_path / "noise.onnx"
    noise.write_bytes(seal(b"no model"))
    with pytest.raises(ValueError, match="cannot be read as a model"):
        load_recognizer(noise, "onnxruntime")


@needs_onnx
def test_a_file_with_a_flipped_bit_is_refused(exported, tmp_path):
    content = bytearray(Path(exported[2]).read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(content)
    with pytest.raises(ValueError, match=r"changed\.onnx.*checksum"):
        load_recognizer(changed)
