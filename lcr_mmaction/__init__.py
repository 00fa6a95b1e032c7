"""LSTM-CrossRWKV (LCR) for MMAction2.

Importing the package mends what is broken upstream for LCR's use and registers
LCR's models, transforms, datasets and hooks with MMAction2. A config asks for that
with ``custom_imports = dict(imports=['lcr_mmaction'], allow_failed_imports=False)``.
"""

from .threads import prepare_threads

# Before anything loads PyTorch.
prepare_threads()

from .upstream import apply_mends  # noqa: E402
from .version import __version__  # noqa: E402

# The mends come first: without them the imports below can fail.
apply_mends()

from . import (  # noqa: E402
    datasets,
    hooks,
    models,
    ops,
    optim,
    transforms,
)

__all__ = [
    "__version__",
    "datasets",
    "hooks",
    "models",
    "ops",
    "optim",
    "transforms",
]
