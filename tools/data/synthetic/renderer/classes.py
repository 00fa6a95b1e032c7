"""The 27 classes of the Jester data set and the symmetries between them."""

from __future__ import annotations

# Index order of MMAction2's label map for Jester.
CLASSES: tuple[str, ...] = (
    "Swiping Left",
    "Swiping Right",
    "Swiping Down",
    "Swiping Up",
    "Pushing Hand Away",
    "Pulling Hand In",
    "Sliding Two Fingers Left",
    "Sliding Two Fingers Right",
    "Sliding Two Fingers Down",
    "Sliding Two Fingers Up",
    "Pushing Two Fingers Away",
    "Pulling Two Fingers In",
    "Rolling Hand Forward",
    "Rolling Hand Backward",
    "Turning Hand Clockwise",
    "Turning Hand Counterclockwise",
    "Zooming In With Full Hand",
    "Zooming Out With Full Hand",
    "Zooming In With Two Fingers",
    "Zooming Out With Two Fingers",
    "Thumb Up",
    "Thumb Down",
    "Shaking Hand",
    "Stop Sign",
    "Drumming Fingers",
    "No gesture",
    "Doing other things",
)

# What a class becomes when the picture is mirrored left to right.
FLIP_LABEL_MAP: dict[int, int] = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}

# What a class becomes when the clip is played backwards: classes 0 to 19 come in
# pairs of opposite direction, so no single frame tells the two apart.
REVERSED_LABEL_MAP: dict[int, int] = {label: label ^ 1 for label in range(20)}

NO_GESTURE: int = CLASSES.index("No gesture")
