"""The running mean over frames."""

from __future__ import annotations

import numpy as np
import pytest

from lcr_mmaction.streaming.consensus import FrameConsensus

BOTH = np.array([0, 1])


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_mean_weighs_frames_by_age(factor):
    logits = np.random.default_rng(0).normal(size=(5, 2, 2, 3))
    consensus = FrameConsensus(factor, 2, 2, 3)
    for row in logits:
        scores = consensus.add(row, BOTH)
    weights = np.array([factor**age for age in (4, 3, 2, 1, 0)])
    mean = np.tensordot(weights, logits, 1) / weights.sum()
    np.testing.assert_allclose(scores, softmax(mean))


def test_reset_touches_what_it_names():
    consensus = FrameConsensus(1.0, 2, 2, 3)
    first, second = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    consensus.add(first, BOTH)
    consensus.reset(BOTH, np.array([[True, False], [False, False]]))
    scores = consensus.add(second, BOTH)
    np.testing.assert_allclose(scores[0, 0], softmax(second[0, 0]))
    np.testing.assert_allclose(scores[0, 1], softmax((first + second)[0, 1] / 2))
    consensus.reset(np.array([1]))
    scores = consensus.add(second[1:], np.array([1]))
    np.testing.assert_allclose(scores, softmax(second[1:]))


def test_huge_logits_do_not_overflow():
    scores = FrameConsensus(1.0, 1, 1, 2).add(np.array([[[1e4, 0.0]]]), BOTH[:1])
    np.testing.assert_allclose(scores, [[[1.0, 0.0]]])
