"""The small trained model that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = "lcr_jester_stream"


class ShippedModel(NamedTuple):
    """Files of a trained model, as the paths that MMAction2's functions take.

    Attributes:
        config: Its config.
        checkpoint: Its weights.
    """

    config: str
    checkpoint: str


def shipped_model() -> ShippedModel:
    """Find the model that comes with the package.

    It was trained on synthetic gestures alone and is there to try things with:
    ``docs/model_card.md`` says what it can do and what it cannot.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    # An installation keeps the configs for MIM; a clone has them at the top.
    places = _PACKAGE / ".mim" / "configs", _PACKAGE.parent / "configs"
    configs = next((place for place in places if place.is_dir()), places[0])
    paths = configs / f"{_NAME}.py", _PACKAGE / "checkpoints" / f"{_NAME}.pth"
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"the installation lacks {path}: install the package again (pip "
                "install . in a clone)"
            )
    return ShippedModel(*map(str, paths))
