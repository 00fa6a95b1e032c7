from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

# Where a script started from there finds its neighbours.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def run_benchmark(tmp_path: Path) -> Callable[..., Path]:
    """Run a benchmark as its command line would; return the folder of its files."""

    def run(name: str, *arguments: object) -> Path:
        out = tmp_path / "out"
        argv = [*(str(argument) for argument in arguments), "--out", str(out)]
        importlib.import_module(name).main(argv)
        return out

    return run


@pytest.fixture
def texts_apart() -> Callable[[Figure], list[str]]:
    """Assert that no text of a figure lies upon another; return all texts."""

    def check(figure: Figure) -> list[str]:
        figure.canvas.draw()
        texts = [x for x in figure.findobj(Text) if x.get_text() and x.get_visible()]
        boxes = [(x.get_text(), x.get_window_extent()) for x in texts]
        for (left, one), (right, other) in itertools.combinations(boxes, 2):
            assert not one.overlaps(other), (left, right)
        return [text for text, _ in boxes]

    return check
