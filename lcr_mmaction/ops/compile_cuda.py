"""Compile the CUDA kernels' device code; no GPU and no torch with CUDA is needed.

``python -m lcr_mmaction.ops.compile_cuda`` compiles for every architecture from sm_75
to sm_100 that the nvcc at hand knows, and fails if one does not compile. The result is
thrown away: this is a check. Kernels for use are built by ``lcr_mmaction.ops.build``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import build


def compile_device_code(architectures: Sequence[str] | None = None) -> list[str]:
    """Compile for each architecture and return those compiled.

    Args:
        architectures: such as ``['sm_75', 'sm_90']``; None for all that nvcc knows.

    Raises:
        lcr_mmaction.ops.build.BuildError: if there is no nvcc, or it fails.
    """
    nvcc = build.cuda_home() / "bin" / "nvcc"
    if architectures is None:
        architectures = build.known_architectures(nvcc)
    command = [str(nvcc), *build.NVCC_FLAGS, "-ccbin", build.compiler(), "--threads=2"]
    command += build.architecture_flags(architectures)
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "kernel.fatbin"
        source = build.SOURCES / "cuda_kernel.cu"
        build.run_all([[*command, "-fatbin", str(source), "-o", str(output)]])
        if not output.stat().st_size:
            raise build.BuildError(f"nvcc left nothing for {list(architectures)}")
    return list(architectures)


def main() -> int:
    """Compile for the architectures on the command line, or for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architectures", nargs="*", help="such as sm_75 sm_90")
    arguments = parser.parse_args()
    try:
        compiled = compile_device_code(arguments.architectures or None)
    except build.BuildError as error:
        print(f"bi_wkv: {error}", file=sys.stderr)
        return 1
    print("device code compiled for", *compiled)
    return 0


if __name__ == "__main__":
    sys.exit(main())
