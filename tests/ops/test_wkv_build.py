"""Choosing, building and missing the compiled kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from lcr_mmaction.ops import build, compile_cuda

STUB_COMPILER = """\
#!/bin/sh
echo "$@" >> "$LCR_TEST_LOG"
while [ $# -gt 1 ]; do
  if [ "$1" = "-o" ]; then sleep 0.2; echo stub > "$2"; fi
  shift
done
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_missing_kernel_warns_once_and_falls_back(tmp_path):
    code = """
        import torch, warnings
        from lcr_mmaction.ops import bi_wkv
        x, p = torch.randn(1, 5, 1, 8), -torch.rand(1, 8)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y = bi_wkv(x, x, x, p, p)
            bi_wkv(x, x, x, p, p)
        print([str(w.message) for w in caught if "bi_wkv" in str(w.message)])
        assert torch.equal(y, bi_wkv(x, x, x, p, p, backend="chunked"))
        try:
            bi_wkv(x, x, x, p, p, backend="cpu")
        except RuntimeError as error:
            print(error)
    """
    result = python(code, LCR_OPS_CACHE=str(tmp_path), LCR_OPS_JIT="0")
    assert result.returncode == 0, result.stderr
    warnings, error = result.stdout.splitlines()
    assert warnings.count("runs in plain PyTorch") == 1
    assert build.COMMAND in warnings
    assert "'cpu' backend cannot run" in error


def test_failing_compiler_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(build.BuildError, match="cpu_binding.cpp"):
        build.build("cpu", tmp_path, ["generic"])
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match="no-such-compiler"):
        build.build("cpu", tmp_path, ["generic"])
    assert not list(tmp_path.glob("*.so"))


def test_ranks_that_build_at_once_compile_once(tmp_path):
    stub = tmp_path / "stub-compiler"
    stub.write_text(STUB_COMPILER)
    stub.chmod(0o755)
    log, cache = tmp_path / "log", tmp_path / "cache"
    code = f"""
        from pathlib import Path
        from lcr_mmaction.ops import build
        print(build.build("cpu", Path({str(cache)!r}), ["generic"]))
    """
    environment = os.environ | {"CXX": str(stub), "LCR_TEST_LOG": str(log)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    libraries = {rank.communicate()[0] for rank in ranks}
    assert [rank.returncode for rank in ranks] == [0, 0, 0]
    assert len(libraries) == 1
    commands = log.read_text().splitlines()
    assert len(commands) == 5  # two bindings, two kernels, link: once in all
    assert [path.suffix for path in cache.glob("*.so")] == [".so"]


def test_library_name_tells_torch_versions_apart(monkeypatch):
    import torch

    name = build.library_name("cpu", ["generic"])
    assert torch.__version__ in name
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    assert build.library_name("cpu", ["generic"]) != name


def test_setup_needs_no_torch(tmp_path):
    code = f"""
        import runpy, sys
        sys.modules["torch"] = None
        build = runpy.run_path({build.__file__!r})
        assert build["setup_arguments"]() == {{}}
    """
    result = python(code, LCR_BUILD_OPS="0")
    assert result.returncode == 0, result.stderr


def test_setup_builds_every_instruction_set_on_request(monkeypatch):
    monkeypatch.setenv("LCR_BUILD_OPS", "1")
    arguments = build.setup_arguments()
    assert [module.name for module in arguments["ext_modules"]] == [
        "lcr_mmaction.ops.kernels"
    ]
    assert "build_ext" in arguments["cmdclass"]
    assert build.all_instruction_sets()[-1] == "generic"


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
@pytest.mark.parametrize("name", build.all_instruction_sets())
def test_kernel_source_is_clean_for_every_instruction_set(name):
    flags = [flag for flag in build.KERNEL_FLAGS if flag != "-w"]
    sources = [
        str(build.SOURCES / f"{kernel}_kernel.cpp") for kernel in ("cpu", "fused")
    ]
    command = ["c++", *flags, *build.INSTRUCTION_SETS[name], f"-DLCR_ISA={name}"]
    command += ["-Wall", "-Werror", "-fsyntax-only", *sources]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_device_code_compiles():
    try:
        nvcc = build.cuda_home() / "bin" / "nvcc"
    except build.BuildError as error:
        pytest.skip(str(error))
    known = build.known_architectures(nvcc)
    # Without and with bfloat16 tensor cores; the command compiles for all.
    wanted = [name for name in ("sm_75", "sm_90") if name in known]
    assert compile_cuda.compile_device_code(wanted) == wanted


@pytest.mark.slow
def test_cuda_kernel_builds(tmp_path):
    """The binding too, for which no GPU is needed but a torch with CUDA."""
    try:
        nvcc = build.nvcc_for_torch()
    except build.BuildError as error:
        pytest.skip(str(error))
    newest = build.known_architectures(nvcc)[-1:]
    assert build.build("cuda", tmp_path, newest).stat().st_size


def test_nvcc_of_another_cuda_is_refused(tmp_path, monkeypatch):
    import torch

    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\necho Cuda compilation tools, release 12.8, V12.8.93\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(build.BuildError, match="is of CUDA 12.8 but"):
        build.nvcc_for_torch()
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    assert build.nvcc_for_torch() == nvcc
