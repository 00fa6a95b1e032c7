"""Ways to find the edges of a frame, in OpenCV and NumPy alone."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Protocol

import cv2
import numpy as np


class EdgeMethod(Protocol):
    """What an edge method promises: a function of one grey frame.

    - Of an ``H x W`` uint8 frame it makes an ``H x W`` uint8 map, 0 where there is no
      edge; a frame of one grey has none.
    - Pure: the frame is left as it is, and the same frame gives the same map.
    - Further parameters are its options, with defaults; a bad value is refused with
      ``ValueError`` at the first frame.
    """

    def __call__(self, grey: np.ndarray, /) -> np.ndarray:
        """Find the edges of a grey frame."""


def canny_otsu(grey: np.ndarray, low_ratio: float = 0.5) -> np.ndarray:
    """Canny with both thresholds taken from the frame itself.

    Otsu's method gives one threshold: it becomes Canny's high threshold, on the
    gradient's L1 norm. The paper does not say where the low one comes from;
    ``low = low_ratio * high`` is our choice.

    Args:
        grey: ``H x W`` uint8.
        low_ratio: Low threshold as a fraction of the high one, in (0, 1].
    """
    if not 0 < low_ratio <= 1:
        raise ValueError(f"low_ratio must lie in (0, 1], got {low_ratio}.")
    high, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return cv2.Canny(grey, low_ratio * high, high)


def canny(grey: np.ndarray, low: float = 100.0, high: float = 200.0) -> np.ndarray:
    """Canny with the same two thresholds for every frame.

    Args:
        grey: ``H x W`` uint8.
        low: Gradient (L1 norm of the 3 x 3 Sobel responses) from which an edge
            may continue.
        high: Gradient from which an edge may start.
    """
    if not 0 <= low <= high:
        raise ValueError(f"canny needs 0 <= low <= high, got {low} and {high}.")
    return cv2.Canny(grey, low, high)


def sobel(grey: np.ndarray) -> np.ndarray:
    """L1 norm of the Sobel gradient; an upright black-white step gives 255."""
    dx, dy = cv2.spatialGradient(grey)
    # The 3 x 3 Sobel kernel sums to 4 on either side of a step.
    return cv2.add(
        cv2.convertScaleAbs(dx, alpha=0.25), cv2.convertScaleAbs(dy, alpha=0.25)
    )


def sobel_relative(grey: np.ndarray) -> np.ndarray:
    """Size of the Sobel gradient, beside its mean over the frame; ignores contrast.

    ``255 * min(1, |gradient| / (4 * mean |gradient|))``. The one method that the model
    has in its own graph too, for frames that bring no edges:
    ``lcr_mmaction.models.edge.GraphEdges``.
    """
    border = cv2.BORDER_REPLICATE
    dx, dy = (
        cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3, borderType=border)
        for order in ((1, 0), (0, 1))
    )
    magnitude = cv2.magnitude(dx, dy)
    mean = cv2.mean(magnitude)[0]
    return cv2.convertScaleAbs(magnitude, alpha=255 / (4 * mean) if mean else 0.0)


def laplacian(grey: np.ndarray) -> np.ndarray:
    """Size of the 4-neighbour Laplacian; a black-white step gives 255."""
    return cv2.convertScaleAbs(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))


def none(grey: np.ndarray) -> np.ndarray:
    """No edges: zeros. The ablation that keeps the network's shape."""
    return np.zeros_like(grey)


EDGE_METHODS: dict[str, EdgeMethod] = {
    "canny_otsu": canny_otsu,
    "canny": canny,
    "sobel": sobel,
    "sobel_relative": sobel_relative,
    "laplacian": laplacian,
    "none": none,
}
"""Edge methods by name; a new one is registered here."""


def edge_map(
    frame: np.ndarray, method: str = "canny_otsu", **options: float
) -> np.ndarray:
    """Return the edges of one frame.

    Args:
        frame: ``H x W x 3`` uint8, RGB.
        method: A key of :data:`EDGE_METHODS`.
        **options: That method's keyword arguments.

    Returns:
        ``H x W`` uint8 in 0..255; the Canny methods give 0 or 255.

    Raises:
        TypeError: The frame is not uint8, or the method has no such option.
        ValueError: Unknown method, bad option value, or not three channels.
    """
    extractor = edge_extractor(method, **options)
    check_rgb(frame)
    return extractor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def edge_extractor(method: str = "canny_otsu", **options: float) -> EdgeMethod:
    """Return a method with its options, as a function of a grey frame.

    Raises:
        TypeError: The method has no such option.
        ValueError: Unknown method.
    """
    if method not in EDGE_METHODS:
        raise ValueError(
            f"Unknown edge method {method!r}; choose one of {', '.join(EDGE_METHODS)}."
        )
    function = EDGE_METHODS[method]
    known = list(inspect.signature(function).parameters)[1:]
    for option in options:
        if option not in known:
            raise TypeError(
                f"Edge method {method!r} has no option {option!r}; "
                f"it takes {', '.join(known) or 'none'}."
            )
    return partial(function, **options)


def check_rgb(frame: np.ndarray, where: str = "") -> None:
    """Refuse what is no ``H x W x 3`` uint8 frame.

    Args:
        frame: To check.
        where: Added to the message, such as ``' of clip.mp4'``.

    Raises:
        TypeError: It is not uint8.
        ValueError: It has not three channels.
    """
    expected = "EdgeExtract expects H x W x 3 RGB frames of dtype uint8"
    if not isinstance(frame, np.ndarray):
        raise TypeError(f"{expected}, got a {type(frame).__name__}{where}.")
    if frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        raise ValueError(
            f"{expected}, got a grey one of shape {frame.shape}{where}: repeat it "
            "over three channels, e.g. decode with a colour (not grey) flag."
        )
    if frame.ndim == 3 and frame.shape[2] == 4:
        raise ValueError(
            f"{expected}, got four channels, shape {frame.shape}{where}: drop the "
            "alpha channel of RGBA frames, and use EdgeExtract only once."
        )
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"{expected}, got shape {frame.shape}{where}.")
    if frame.dtype != np.uint8:
        raise TypeError(
            f"{expected}, got {frame.dtype}{where}: put EdgeExtract before any "
            "normalisation; the data preprocessor does that later."
        )
