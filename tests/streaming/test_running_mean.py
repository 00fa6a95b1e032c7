"""The running mean over frames."""

from __future__ import annotations

import numpy as np
import pytest

from lcr_runtime.running_mean import RunningMean, Smoothing, smooth, softmax

BOTH = np.array([0, 1])


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_mean_weighs_frames_by_age(factor):
    logits = np.random.default_rng(0).normal(size=(5, 2, 2, 3))
    running = RunningMean(factor, (2, 2, 3))
    for row in logits:
        last = running.add(row, BOTH)
    weights = np.array([factor**age for age in (4, 3, 2, 1, 0)])
    mean = np.tensordot(weights, logits, 1) / weights.sum()
    np.testing.assert_allclose(last, mean)


def test_reset_touches_what_it_names():
    running = RunningMean(1.0, (2, 2, 3))
    first, second = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    running.add(first, BOTH)
    running.reset(BOTH, np.array([[True, False], [False, False]]))
    mean = running.add(second, BOTH)
    np.testing.assert_allclose(mean[0, 0], second[0, 0])
    np.testing.assert_allclose(mean[0, 1], (first + second)[0, 1] / 2)
    running.reset(np.array([1]))
    np.testing.assert_allclose(running.add(second[1:], np.array([1])), second[1:])


def test_huge_logits_do_not_overflow():
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0]])), [[1.0, 0.0]])


def test_smoothing_starts_with_the_first_value_of_each_row():
    smoothing = Smoothing(0.75, (2, 1))
    smoothing.add(np.array([[1.0]]), BOTH[:1])
    np.testing.assert_allclose(
        smoothing.add(np.array([[0.0], [2.0]]), BOTH), [[0.75], [2]]
    )
    smoothing.reset(BOTH[:1])
    np.testing.assert_allclose(smoothing.add(np.array([[5.0]]), BOTH[:1]), [[5.0]])


@pytest.mark.parametrize("factor", [-0.1, 1.1])
def test_bad_factors_are_named(factor):
    with pytest.raises(ValueError, match=str(factor)):
        RunningMean(factor, (1, 1))


def test_smoothing_of_a_whole_video():
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    expected = [[1, 0], [0.75, 0.25], [0.5625, 0.4375]]
    np.testing.assert_allclose(smooth(scores, 0.75), expected)
