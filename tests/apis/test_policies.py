"""What becomes of the state in an endless video."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lcr_mmaction.apis.policies import POLICIES, build_policy
from lcr_mmaction.apis.state import map_state, state_tensors

LABELS = ["Left", "Right", "No gesture"]
STREAM = np.array([0])


def ones(backbone, rows):
    return map_state(torch.ones_like, backbone.init_state(rows))


def ages_seen(backbone, policy, num_frames, speaking=True):
    """Age of the state that spoke at each frame, counted by a fake step.

    The "state" counts its own frames, and the "scores" are that count.
    """
    policy.begin(1)
    state = backbone.init_state(policy.replicas)
    ages = []
    for _ in range(num_frames):
        state = policy.adjust(state, STREAM)
        state = map_state(lambda x: x + 1, state)
        count = state.blocks[0].memory[:, 0, 0].numpy()
        ages.append(policy.read(count.reshape(1, policy.replicas, 1), STREAM)[0, 0])
    return ages


def test_kept_state_ages_for_ever(make_backbone):
    policy = build_policy("keep", 4, LABELS)
    assert ages_seen(make_backbone(), policy, 6) == [1, 2, 3, 4, 5, 6]


def test_staggered_states_speak_between_half_a_period_and_one(make_backbone):
    policy = build_policy(dict(name="staggered", period=8), 4, LABELS)
    ages = ages_seen(make_backbone(), policy, 20)
    assert ages[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ages[8:] == [5, 6, 7, 8] * 3
    assert build_policy("staggered", 4, LABELS).period == 8


def test_decay_halves_in_a_half_life(make_backbone):
    policy = build_policy(dict(name="decay", half_life=3), 4, LABELS)
    policy.begin(1)
    state = ones(make_backbone(), 1)
    for _ in range(3):
        state = policy.adjust(state, STREAM)
    tensors = state_tensors(state)
    assert tensors["blocks.0.memory"].unique().item() == pytest.approx(0.5)
    assert tensors["blocks.1.hidden"].unique().item() == pytest.approx(0.5)
    assert tensors["blocks.1.shifted"].unique().item() == 1
    assert tensors["frame"].unique().item() == 1


def test_quiet_resets_one_stream(make_backbone):
    policy = build_policy(
        dict(name="reset_on_background", patience=2, threshold=0.6), 4, LABELS
    )
    policy.begin(2)
    both = np.array([0, 1])
    backbone = make_backbone()
    loud, quiet = [0.9, 0.0, 0.1], [0.2, 0.1, 0.7]
    left = []
    for scores in ([loud, quiet], [loud, quiet], [quiet, loud]):
        policy.read(np.array(scores)[:, None], both)
        state = policy.adjust(ones(backbone, 2), both)
        left.append(state.frame.amax(dim=(1, 2, 3)).tolist())
    assert left == [[1, 1], [1, 0], [1, 1]]


def test_restart_forgets_a_streams_age(make_backbone):
    policy = build_policy(dict(name="staggered", period=4), 4, LABELS)
    policy.begin(2)
    state = ones(make_backbone(), 4)
    scores = np.zeros((2, 2, 3))
    for _ in range(3):
        policy.read(scores, np.array([0, 1]))
    policy.restart(np.array([0]))
    reset = policy.adjust(state, np.array([0, 1])).frame.amax(dim=(1, 2, 3))
    assert reset.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        ("forget", ValueError, "choose one of keep"),
        (dict(name="staggered", period=7), ValueError, "even number, got 7"),
        (dict(name="decay", half_life=0), ValueError, "half_life must be above 0"),
        (
            dict(name="reset_on_background", label="Nothing"),
            ValueError,
            "'Nothing', which is not among",
        ),
        (dict(name="keep", period=3), TypeError, "period"),
    ],
)
def test_bad_policies_are_named(policy, error, message):
    with pytest.raises(error, match=message):
        build_policy(policy, 4, LABELS)


def test_every_policy_answers_with_one_row_a_stream():
    for name in POLICIES:
        policy = build_policy(name, 4, LABELS)
        policy.begin(2)
        scores = np.random.default_rng(0).random((2, policy.replicas, 3))
        assert policy.read(scores, np.array([0, 1])).shape == (2, 3)
