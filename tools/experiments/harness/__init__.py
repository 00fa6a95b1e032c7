"""Train the variants of a study over several seeds and compare them."""

import sys
from pathlib import Path

import lcr_mmaction  # noqa: F401 - MMAction2 can be imported only after it

# The renderer of the clips lies beside its own tools, outside of the package.
sys.path.append(str(Path(__file__).resolve().parents[2] / "data" / "synthetic"))
