"""Names beside the points of a plot, none upon another."""

from __future__ import annotations

import itertools
import math

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

DISTANCES = (5, 10, 16, 24, 34, 46, 60)  # points
ANGLES = (45, 0, 90, 315, 135, 180, 270, 225)  # degrees, the best first
MARKER = 3  # points from a marker's middle to its edge


def label_points(
    axes: Axes, points: dict[str, tuple[float, float]], size: float = 8
) -> None:
    """Write every point's name at the nearest place that is free.

    Names that stand off their points are joined to them by a line. Call it when nothing
    moves any more: limits, scales and the layout of the figure.

    Args:
        axes: Where the points are.
        points: Their places in the plot by name.
        size: Of the font.
    """
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    edge = MARKER * axes.figure.dpi / 72
    middles = axes.transData.transform([*points.values()])
    taken = [Bbox([middle - edge, middle + edge]) for middle in middles]
    inside = axes.get_window_extent()
    for name, point in points.items():
        text = axes.annotate(name, point, textcoords="offset points", fontsize=size)
        for distance, angle in itertools.product(DISTANCES, ANGLES):
            x, y = (round(f(math.radians(angle)), 3) for f in (math.cos, math.sin))
            offset = distance * x, distance * y
            text.set(position=offset, ha=_side(x, "left", "right"))
            text.set_va(_side(y, "bottom", "top"))
            box = text.get_window_extent()
            within = inside.containsx(box.x0) and inside.containsx(box.x1)
            within &= inside.containsy(box.y0) and inside.containsy(box.y1)
            if within and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
        if distance > DISTANCES[1]:
            line = dict(arrowstyle="-", color="0.6", linewidth=0.6, shrinkA=0)
            axes.annotate(
                "", point, offset, textcoords="offset points", arrowprops=line
            )


def _side(direction: float, positive: str, negative: str) -> str:
    """Which side of a text lies at its place."""
    if direction:
        return positive if direction > 0 else negative
    return "center"
