"""Which frames are due."""

from __future__ import annotations

import numpy as np
import pytest

from lcr_runtime.video import Thinner


def kept(fps, rate, count=60):
    thinner = Thinner(fps)
    return [i for i in range(count) if thinner.due(i / rate)]


def test_thinner_keeps_an_even_beat():
    assert kept(None, 30) == list(range(60))
    assert kept(10, 30) == list(range(0, 60, 3))
    assert kept(30, 30) == list(range(60))
    assert kept(60, 30) == list(range(60))
    twelve = kept(12, 30)
    assert len(twelve) == 24
    assert set(np.diff(twelve)) == {2, 3}
    with pytest.raises(ValueError, match="fps must be above 0"):
        Thinner(0)


def test_thinner_goes_on_after_a_pause_without_a_burst():
    thinner = Thinner(10)
    assert thinner.due(0.0)
    assert thinner.due(5.0)
    assert not thinner.due(5.03)
    assert not thinner.due(5.06)
    assert thinner.due(5.1)
