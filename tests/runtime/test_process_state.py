"""What importing and running leave in the caller's process as they found it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from stream_cases import CONFIG

SNAPSHOT = """
import logging, multiprocessing, os, random, signal, sys, threading, warnings
import cv2, numpy as np

def state():
    found = dict(
        folder=os.getcwd(), environment=dict(os.environ), path=list(sys.path),
        signals={x: signal.getsignal(x) for x in signal.valid_signals()},
        hooks=(sys.excepthook, sys.unraisablehook, threading.excepthook),
        python_random=random.getstate(),
        numpy_random=[str(x) for x in np.random.get_state()],
        numpy_errors=np.geterr(), numpy_print=str(np.get_printoptions()),
        log_level=logging.root.level, log_handlers=list(logging.root.handlers),
        log_disabled=logging.root.manager.disable,
        warnings=list(warnings.filters), show=warnings.showwarning,
        start=multiprocessing.get_start_method(allow_none=True),
        opencv=(cv2.getNumThreads(), cv2.useOptimized()),
        recursion=sys.getrecursionlimit(), switch=sys.getswitchinterval())
    if 'torch' in sys.modules:
        import torch
        found.update(
            torch=(torch.get_num_threads(), torch.get_num_interop_threads(),
                   torch.get_default_dtype(), torch.is_grad_enabled(),
                   torch.is_inference_mode_enabled(),
                   torch.are_deterministic_algorithms_enabled(),
                   torch.get_float32_matmul_precision(),
                   torch.backends.cudnn.benchmark, torch.is_autocast_enabled('cpu')),
            torch_random=hash(bytes(torch.get_rng_state().tolist())))
    return found

def compare(before, after, *others):
    for name in set(before) - set(others):
        assert before[name] == after[name], (name, before[name], after[name])
    print('as it was')
"""

RUNTIME = """
import importlib
for name in ('av', sys.argv[1]):
    importlib.import_module(name)
before = state()
from lcr_runtime import load_recognizer
from lcr_runtime.shipped import shipped_file
recognizer = load_recognizer(shipped_file(), sys.argv[1], threads=1)
frames = [np.zeros((64, 64, 3), np.uint8)] * 3
list(recognizer.run(frames))
recognizer.finish()
compare(before, state())
"""

# What PyTorch and OpenMMLab do when imported is theirs.
TRAINER = """
import torch, mmengine, mmcv, mmaction
import mmengine.runner, mmengine.dist
before = state()
import lcr_mmaction
# SymPy and others, which MMAction2's models import, add filters.
compare(before, state(), 'warnings')
from lcr_mmaction.streaming import StreamingRecognizer
before = state()
recognizer = StreamingRecognizer(sys.argv[1])
# PyTorch draws the weights that no checkpoint gives.
compare(before, state(), 'torch_random')
before = state()
frames = [np.zeros((64, 64, 3), np.uint8)] * 3
list(recognizer.run(frames))
compare(before, state())
"""


def run(code: str, argument: object) -> str:
    command = [sys.executable, "-W", "ignore", "-c", SNAPSHOT + code, str(argument)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_stream_leaves_the_process_as_it_was(engine):
    pytest.importorskip(engine)
    assert run(RUNTIME, engine).count("as it was") == 1


def test_the_plugin_leaves_the_process_as_it_was(tmp_path):
    config = tmp_path / "small.py"
    config.write_text(CONFIG)
    assert run(TRAINER, config).count("as it was") == 3
