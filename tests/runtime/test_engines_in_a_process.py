"""What an engine leaves behind in the process that opened it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

CHILD_ENDS_AFTER_TWO_ENGINES = """
import signal, subprocess, sys
from lcr_runtime.engines import open_engine
from lcr_runtime.shipped import shipped_file
signal.signal(signal.SIGCHLD, lambda *_: print("heard"))
first, second = (open_engine(shipped_file(), sys.argv[1]) for _ in range(2))
del first
del second
subprocess.run([sys.executable, "-c", ""])
"""


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request):
    pytest.importorskip(request.param)
    return request.param


def test_signals_arrive_after_engines_have_gone(engine):
    command = [sys.executable, "-c", CHILD_ENDS_AFTER_TWO_ENGINES, engine]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("heard\n")


def test_small_numbers_are_left_as_they_were(engine):
    from lcr_runtime import load_recognizer
    from lcr_runtime.shipped import shipped_file

    recognizer = load_recognizer(shipped_file(), engine)
    recognizer.update(np.zeros((64, 64, 3), np.uint8))
    denormal = np.array([2], np.int32).view(np.float32)
    assert (denormal / np.float32(2)).view(np.int32) == 1
