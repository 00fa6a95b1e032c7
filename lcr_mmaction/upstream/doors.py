"""Doors to the scripts that the installed MMAction2 carries.

MMAction2's wheel holds its command-line tools under ``mmaction/.mim/tools``. Started
from there they know nothing of this plugin until they read a config, which is too late
for some: ``confusion_matrix.py`` imports MMAction2's models before that, and
``publish_model.py`` reads no config at all. A door imports the plugin first.
"""

from __future__ import annotations

import pickle
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

from .checkpoints import (
    explain,
    safe_torch_load,
    unsafe_loading_chosen,
    unsafe_torch_load,
)


def stock_script(name: str) -> Path:
    """Find a script of the installed MMAction2.

    Args:
        name: Its path below MMAction2's ``tools``, such as ``'train.py'``.

    Raises:
        FileNotFoundError: The installed MMAction2 carries no such script.
    """
    spec = find_spec("mmaction")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("MMAction2 is missing: pip install 'mmaction2==1.2.*'")
    package = Path(spec.origin).parent
    # The wheel's place, and that of a source checkout installed in editable mode.
    places = [package / ".mim" / "tools" / name, package.parent / "tools" / name]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"The installed MMAction2 has no {name}; looked for {places[0]} and "
        f"{places[1]}. `pip install 'mmaction2==1.2.*'` brings it."
    )


def run_stock_script(name: str) -> None:
    """Run a script of the installed MMAction2 as ``__main__``, with the plugin loaded.

    The command line is passed on. Checkpoints that the script loads by itself are
    loaded safely, like those that MMEngine loads.

    Args:
        name: Its path below MMAction2's ``tools``, such as ``'train.py'``.

    Raises:
        CheckpointError: A checkpoint asks for more than weights and training logs.
    """
    script = str(stock_script(name))
    sys.argv[0] = script
    torch_load = unsafe_torch_load if unsafe_loading_chosen() else safe_torch_load
    try:
        with torch_load():
            runpy.run_path(script, run_name="__main__")
    except pickle.UnpicklingError as error:
        raise explain(" ".join(sys.argv[1:]), error) from error
