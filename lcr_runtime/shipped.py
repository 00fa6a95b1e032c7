"""The exported model that comes with the package."""

from __future__ import annotations

from pathlib import Path

SHIPPED = "shipped"


def shipped_file() -> Path:
    """Find it: ``lcr_jester_stream``, trained on synthetic gestures alone.

    It is there to try things with; ``docs/model_card.md`` says what it can do.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    path = Path(__file__).parent / "models" / "lcr_jester_stream.onnx"
    if not path.is_file():
        raise FileNotFoundError(f"the installation lacks {path}: install it again")
    return path
