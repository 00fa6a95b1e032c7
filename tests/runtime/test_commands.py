"""``lcr bench`` and ``lcr doctor``, and what ``lcr`` says of itself."""

from __future__ import annotations

import importlib.util
import json

import pytest

from lcr_runtime.commands import doctor
from lcr_runtime.commands.main import COMMANDS, main


def test_every_command_shows_examples_or_says_what_it_does(capsys):
    for module in COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            main([module.__name__.split(".")[-1], "--help"])
        assert stopped.value.code == 0
        assert (module.__doc__ or "").splitlines()[0] in capsys.readouterr().out


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="needs onnxruntime"
)
def test_bench_times_the_shipped_model(capsys):
    options = ["--engine", "onnxruntime", "--threads", "1", "--frames", "5", "--json"]
    main(["bench", *options])
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["engine"], row["precision"]) == ("onnxruntime", "fp32")
    assert 0 < row["p50"] <= row["p95"] and row["start"] > 0


def test_doctor_names_what_is_missing_and_its_cure(capsys, monkeypatch):
    found = importlib.util.find_spec
    hidden = {"torch", "openvino"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda x: None if x in hidden else found(x)
    )
    main(["doctor"])
    said = capsys.readouterr().out
    assert "MISSING torch, for training and export: pip install lcr-mmaction" in said
    assert "pip install openvino" in said and "lcr stream can work" in said
    # Beside lcr-runtime alone nothing of it belongs.
    hidden |= {"lcr_mmaction", "onnx"}
    main(["doctor"])
    said = capsys.readouterr().out
    assert "note    no lcr-mmaction" in said and "pip install lcr-mmaction" not in said
    assert "torch" not in said and "onnx," not in said
    hidden |= {"onnxruntime", "av"}
    with pytest.raises(SystemExit, match="lacks av, an engine"):
        main(["doctor"])


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_doctor_names_the_kernel_that_this_torch_would_load(
    capsys, monkeypatch, tmp_path
):
    from lcr_mmaction.ops import build

    if build.find_library("cpu") and build.find_library("cpu").parent == (
        build.AHEAD_OF_TIME
    ):
        pytest.skip("a kernel was built with the package, which comes first")
    monkeypatch.setenv("LCR_OPS_CACHE", str(tmp_path))
    doctor._kernels()
    assert "the cpu kernel is not built" in capsys.readouterr().out
    library = tmp_path / build.library_name("cpu", build.targets_here("cpu"))
    library.touch()
    doctor._kernels()
    assert f"ok      cpu kernel, built on first use: {library}" in (
        capsys.readouterr().out
    )
