"""Output folders that say what is in them and refuse a mixture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

# Raised whenever the same settings would give other pictures than before.
RENDERER_VERSION = 7
_SETTINGS_FILE = "synthetic-settings.json"

_README = """\
SYNTHETIC DATA

These clips are computer drawings, not recordings of people. The layout and the class
names are those of the Jester data set; the pictures are not. Accuracy measured on
them says nothing about real hands.

Rendered by renderer with
{settings}
"""


def claim_folder(root: Path, settings: dict[str, Any], readme: str = _README) -> None:
    """Make a folder for one data set, or go on with one of the same settings.

    Args:
        root: The folder.
        settings: What decides the content.
        readme: Text of the folder's README, with `{settings}`.

    Raises:
        NotADirectoryError: `root` is a file.
        ValueError: `root` holds something else, or clips of other settings.
    """
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"{root} is a file: give a folder to render into")
    root.mkdir(parents=True, exist_ok=True)
    wanted = {"renderer_version": RENDERER_VERSION, **settings}
    path = root / _SETTINGS_FILE
    if path.exists():
        found = json.loads(path.read_text())
        if found != wanted:
            raise ValueError(
                f"{root} holds clips rendered with other settings: found {found}, "
                f"wanted {wanted}. Choose another folder or delete this one."
            )
        return
    if any(root.iterdir()):
        raise ValueError(
            f"{root} is not empty and was not made by this renderer: choose a new "
            "folder"
        )
    text = json.dumps(wanted, indent=2) + "\n"
    (root / "README").write_text(readme.format(settings=text))
    path.write_text(text)


def remove_parts(root: Path) -> None:
    """Delete what an interrupted run left half written."""
    for part in root.glob("*/.part-*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()
