"""The endless stream's script, on a minute of its hours."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hours_of_video import last_minute_is_fresh  # noqa: E402

from lcr_runtime.policies import StaggeredStates  # noqa: E402


def test_a_troubled_past_leaves_no_trace():
    assert last_minute_is_fresh(1 / 60, seed=3, engine="onnxruntime")


def test_a_state_that_never_starts_anew_is_found(monkeypatch):
    def never(policy: StaggeredStates, streams: np.ndarray) -> np.ndarray:
        return np.zeros((len(streams), policy.replicas), bool)

    monkeypatch.setattr(StaggeredStates, "resets", never)
    assert not last_minute_is_fresh(1 / 60, seed=3, engine="onnxruntime")
