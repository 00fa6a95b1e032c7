"""The 27 classes of the Jester data set and the symmetries between them."""

from __future__ import annotations

from pathlib import Path

from lcr_runtime.text import read_label_map

_LABEL_MAP = Path(__file__).parents[2] / "jester" / "label_map.txt"

# In the index order of MMAction2's label map for Jester.
CLASSES: tuple[str, ...] = tuple(read_label_map(_LABEL_MAP))

# What a class becomes when the picture is mirrored left to right.
FLIP_LABEL_MAP: dict[int, int] = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}

# What a class becomes when the clip is played backwards: classes 0 to 19 come in
# pairs of opposite direction, so no single frame tells the two apart.
REVERSED_LABEL_MAP: dict[int, int] = {label: label ^ 1 for label in range(20)}

NO_GESTURE: int = CLASSES.index("No gesture")
