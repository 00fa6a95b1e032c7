"""Building the compiled kernels of ``bi_wkv``.

``python -m lcr_mmaction.ops.build`` builds what this machine can, now, into the cache
that every later run finds. The same functions build on first use, and ahead of time for
``LCR_BUILD_OPS=1 pip install --no-build-isolation .``. A library's file name carries
everything that it depends on (torch, its ABI, the sources, the processors it is for),
so that versions lie side by side, and it appears in its place in one step, under a
lock.

Nothing here is imported at the top that a plain ``pip install .`` lacks: ``setup.py``
runs this file without torch and before the package exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "csrc"
AHEAD_OF_TIME = HERE / "lib"
COMMAND = "python -m lcr_mmaction.ops.build"

# -fopenmp-simd vectorises the marked sums; it needs no OpenMP library.
KERNEL_FLAGS = ["-std=c++17", "-O3", "-fPIC", "-w", "-fopenmp-simd"]
KERNEL_FLAGS += ["-fno-math-errno", "-fno-trapping-math"]
NVCC_FLAGS = ["-std=c++17", "-O3", "--expt-relaxed-constexpr"]
AVX2 = ["-mavx2", "-mfma"]
INSTRUCTION_SETS = {
    "avx512": [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"],
    "avx2": AVX2,
    "generic": [],
}
# CUDA architectures the kernels are for: compute capabilities, times ten.
OLDEST, NEWEST = 75, 100
EVERY = "every"


class BuildError(RuntimeError):
    """A kernel could not be built; the message says why and what to do."""


def cache_directory() -> Path:
    """``LCR_OPS_CACHE``, or ``lcr_mmaction/ops`` in the user's cache directory."""
    if named := os.environ.get("LCR_OPS_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lcr_mmaction" / "ops"


def instruction_sets_here() -> list[str]:
    """The best instruction set of this machine's processor."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ["generic"]
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return ["generic"]
    if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags:
        return ["avx512"]
    return ["avx2"] if {"avx2", "fma"} <= flags else ["generic"]


def all_instruction_sets() -> list[str]:
    """Every instruction set for this kind of processor, best first."""
    x86 = platform.machine() in ("x86_64", "AMD64")
    return list(INSTRUCTION_SETS) if x86 else ["generic"]


def architectures_here() -> list[str]:
    """The architectures of this machine's CUDA devices, such as ``['sm_90']``."""
    import torch

    devices = range(torch.cuda.device_count())
    found = {torch.cuda.get_device_capability(device) for device in devices}
    return [f"sm_{major}{minor}" for major, minor in sorted(found)]


def known_architectures(nvcc: Path) -> list[str]:
    """Those from sm_75 to sm_100 that nvcc knows."""
    listing = subprocess.run(
        [nvcc, "--list-gpu-code"], check=True, capture_output=True, text=True
    ).stdout
    numbers = {line.strip().removeprefix("sm_") for line in listing.splitlines()}
    known = sorted(int(number) for number in numbers if number.isdigit())
    return [f"sm_{number}" for number in known if OLDEST <= number <= NEWEST]


def targets_here(kind: str) -> list[str]:
    """What a kernel built on this machine is for: its processor or its GPUs."""
    return instruction_sets_here() if kind == "cpu" else architectures_here()


def every_target(kind: str) -> list[str]:
    """What a kernel built ahead of time is for."""
    return all_instruction_sets() if kind == "cpu" else [EVERY]


def library_name(kind: str, targets: Sequence[str]) -> str:
    """File name of the library for the torch that is running.

    Args:
        kind: ``'cpu'`` or ``'cuda'``.
        targets: instruction sets of the CPU kernel, best first; or architectures of
            the CUDA kernel, or ``['every']``.
    """
    import torch

    digest = hashlib.sha256(Path(__file__).read_bytes())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    parts = [
        f"bi_wkv_{kind}",
        f"torch{torch.__version__}",
        f"abi{int(torch.compiled_with_cxx11_abi())}",
        sys.platform,
        platform.machine(),
        *targets,
        digest.hexdigest()[:12],
    ]
    return "-".join(parts) + ".so"


def find_library(kind: str) -> Path | None:
    """The library built for this torch and machine, ahead of time or in the cache."""
    names = [library_name(kind, f(kind)) for f in (every_target, targets_here)]
    for directory in (AHEAD_OF_TIME, cache_directory()):
        for name in names:
            if (directory / name).is_file():
                return directory / name
    return None


def build(kind: str, directory: Path, targets: Sequence[str]) -> Path:
    """Build one library into ``directory`` unless it is there.

    Several processes may ask at once: one builds, the others wait for it.

    Args:
        kind: ``'cpu'`` or ``'cuda'``.
        directory: made if need be.
        targets: see :func:`library_name`.

    Raises:
        BuildError: if there is no compiler, or it fails.
    """
    target = directory / library_name(kind, targets)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_suffix(".lock")):
            if target.is_file():
                return target
            with tempfile.TemporaryDirectory(dir=directory) as scratch:
                compile_kind = _compile_cpu if kind == "cpu" else _compile_cuda
                built = compile_kind(Path(scratch), targets)
                os.replace(built, target)
    except OSError as error:
        raise BuildError(
            f"cannot write to {directory} ({error}); set LCR_OPS_CACHE to a folder "
            f"that can be written, then run `{COMMAND}`"
        ) from error
    return target


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError as error:
        raise BuildError("building kernels is supported on Linux and macOS") from error
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def compiler() -> str:
    """The C++ compiler: ``CXX``, or the first of c++, g++ and clang++.

    Raises:
        BuildError: if there is none.
    """
    named = os.environ.get("CXX")
    for candidate in [named] if named else ["c++", "g++", "clang++"]:
        if found := shutil.which(candidate):
            return found
    raise BuildError(
        f"no C++ compiler ({named or 'c++, g++, clang++'}) was found; install one "
        f"(on Debian: apt-get install g++) or set CXX, then run `{COMMAND}`"
    )


def run_all(commands: Sequence[Sequence[str]]) -> None:
    """Run compilations side by side, two at most.

    Raises:
        BuildError: if one fails; the message holds its command and its errors.
    """

    def run(command: Sequence[str]) -> None:
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise BuildError(
                f"{' '.join(command)}\nfailed: {result.stderr.strip()[-2000:]}"
            )

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(run, commands))


def _torch_flags() -> tuple[list[str], list[str]]:
    """Flags that compile against torch, and flags that link with it."""
    import torch

    root = Path(torch.__file__).parent
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    flags = [
        "-std=c++20" if version >= (2, 10) else "-std=c++17",
        "-O2",
        "-fPIC",
        "-w",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        f"-I{root / 'include'}",
        f"-I{root / 'include' / 'torch' / 'csrc' / 'api' / 'include'}",
    ]
    return flags, [f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu"]


def _compile_cpu(scratch: Path, instruction_sets: Sequence[str]) -> Path:
    cxx = compiler()
    torch_flags, link_flags = _torch_flags()
    defines = [f"-DLCR_WITH_{name.upper()}" for name in instruction_sets]
    bindings, kernels = ("cpu_binding", "fused_binding"), ("cpu_kernel", "fused_kernel")
    commands = []

    def add(source: str, flags: list[str], name: str) -> None:
        command = [cxx, *flags, "-c", str(SOURCES / f"{source}.cpp")]
        commands.append([*command, "-o", str(scratch / f"{name}.o")])

    for source in bindings:
        add(source, torch_flags + defines, source)
    for name in instruction_sets:
        for source in kernels:
            flags = [*KERNEL_FLAGS, *INSTRUCTION_SETS[name], f"-DLCR_ISA={name}"]
            add(source, flags, f"{source}_{name}")
    run_all(commands)
    objects = [command[-1] for command in commands]
    output = scratch / "library.so"
    run_all([[cxx, "-shared", *objects, "-o", str(output), *link_flags]])
    return output


def _compile_cuda(scratch: Path, targets: Sequence[str]) -> Path:
    nvcc = nvcc_for_torch()
    architectures = known_architectures(nvcc) if targets == [EVERY] else targets
    # nvcc compiles the binding and links as well: it knows where its headers and its
    # runtime lie, which differs between distributions of CUDA.
    command = [str(nvcc), "-ccbin", compiler(), "-Xcompiler", "-fPIC"]
    torch_flags, link_flags = _torch_flags()
    torch_flags.remove("-fPIC")
    kernel, binding = scratch / "kernel.o", scratch / "binding.o"
    run_all(
        [
            [*command, *NVCC_FLAGS, *architecture_flags(architectures), "--threads=2"]
            + ["-c", str(SOURCES / "cuda_kernel.cu"), "-o", str(kernel)],
            [*command, *torch_flags]
            + ["-c", str(SOURCES / "cuda_binding.cpp"), "-o", str(binding)],
        ]
    )
    output = scratch / "library.so"
    command += ["-shared", "--cudart=shared", str(kernel), str(binding)]
    link_flags += ["-lc10_cuda", "-ltorch_cuda"]
    run_all([[*command, "-o", str(output), *link_flags]])
    return output


def architecture_flags(architectures: Sequence[str]) -> list[str]:
    """Flags of nvcc for the architectures, such as ``['sm_75', 'sm_90']``."""
    numbers = [name.removeprefix("sm_") for name in architectures]
    return [f"-gencode=arch=compute_{n},code=sm_{n}" for n in numbers]


def nvcc_for_torch() -> Path:
    """The nvcc at hand, if it goes with the torch that is running.

    Raises:
        BuildError: if torch has no CUDA or another major version of it, or there is
            no nvcc.
    """
    import torch

    if not (wanted := torch.version.cuda):
        raise BuildError("this torch is built without CUDA")
    nvcc = cuda_home() / "bin" / "nvcc"
    told = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    release = told.partition("release ")[2].partition(",")[0]
    if release.split(".")[0] != wanted.split(".")[0]:
        raise BuildError(
            f"{nvcc} is of CUDA {release or 'unknown'} but this torch of CUDA "
            f"{wanted}; set CUDA_HOME to a toolkit of torch's, then run `{COMMAND}`"
        )
    return nvcc


def cuda_home() -> Path:
    """Where the CUDA toolkit lies: ``CUDA_HOME``, or beside the nvcc on the path.

    Raises:
        BuildError: if there is no nvcc.
    """
    if (home := os.environ.get("CUDA_HOME")) and (Path(home) / "bin" / "nvcc").exists():
        return Path(home)
    if nvcc := shutil.which("nvcc"):
        return Path(nvcc).resolve().parent.parent
    raise BuildError(
        "no nvcc was found; install the CUDA toolkit of torch's version or set "
        f"CUDA_HOME, then run `{COMMAND}`"
    )


def setup_arguments() -> dict[str, Any]:
    """Arguments for ``setuptools.setup``: none, unless ``LCR_BUILD_OPS=1``.

    Returns:
        ``ext_modules`` and ``cmdclass`` that compile the kernels ahead of time, for
        every instruction set of this kind of processor and, where nvcc or a GPU is,
        every CUDA architecture.
    """
    if os.environ.get("LCR_BUILD_OPS") != "1":
        return {}
    from setuptools import Extension
    from setuptools.command.build_ext import build_ext

    class BuildKernels(build_ext):
        """Builds into ``lcr_mmaction/ops/lib`` of the package to be installed."""

        def directory(self) -> Path:
            if self.inplace or getattr(self, "editable_mode", False):
                return AHEAD_OF_TIME
            return Path(self.build_lib).resolve() / "lcr_mmaction" / "ops" / "lib"

        def run(self) -> None:
            build("cpu", self.directory(), every_target("cpu"))
            if _cuda_is_wanted():
                build("cuda", self.directory(), every_target("cuda"))
            for lock in self.directory().glob("*.lock"):
                lock.unlink()

        def get_outputs(self) -> list[str]:
            return [str(path) for path in self.directory().glob("*.so")]

        def get_output_mapping(self) -> dict[str, str]:
            return {}

    kernels = Extension("lcr_mmaction.ops.kernels", sources=[])
    return {"ext_modules": [kernels], "cmdclass": {"build_ext": BuildKernels}}


def _cuda_is_wanted() -> bool:
    import torch

    return bool(torch.version.cuda) and bool(
        torch.cuda.is_available() or shutil.which("nvcc") or os.environ.get("CUDA_HOME")
    )


def main() -> int:
    """Build every kernel that this machine can use."""
    try:
        import torch

        print(build("cpu", cache_directory(), targets_here("cpu")))
        if torch.cuda.is_available():
            print(build("cuda", cache_directory(), targets_here("cuda")))
        else:
            print("no CUDA device: the CUDA kernel was not built", file=sys.stderr)
    except BuildError as error:
        print(f"bi_wkv: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
