"""The small trained model that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = "lcr_jester_stream"


class ShippedModel(NamedTuple):
    """Files of a trained model.

    Attributes:
        config: Its config.
        checkpoint: Its weights.
    """

    config: Path
    checkpoint: Path


def shipped_model() -> ShippedModel:
    """Find the model that comes with the package.

    It was trained on synthetic gestures alone and is there to try things with:
    ``docs/model_card.md`` says what it can do and what it cannot.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    model = ShippedModel(
        _PACKAGE / "configs" / f"{_NAME}.py", _PACKAGE / "checkpoints" / f"{_NAME}.pth"
    )
    for path in model:
        if not path.is_file():
            raise FileNotFoundError(
                f"the installation lacks {path}: install the package again (pip "
                "install . in a clone; a clone needs symbolic links)"
            )
    return model
