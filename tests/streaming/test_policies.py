"""What becomes of the state in an endless video."""

from __future__ import annotations

import numpy as np
import pytest

from lcr_mmaction.streaming.policies import POLICIES, build_policy

LABELS = ["Left", "Right", "No gesture"]
STREAM = np.array([0])


def ages_seen(policy, num_frames):
    """Age of the state that spoke at each frame; its "scores" are its age."""
    policy.begin(1)
    ages, spoken = np.zeros((1, policy.replicas)), []
    for _ in range(num_frames):
        ages = np.where(policy.resets(STREAM), 0, ages) + 1
        spoken.append(policy.read(ages[..., None], STREAM)[0, 0])
    return spoken


def test_kept_state_ages_for_ever():
    policy = build_policy("keep", 4, LABELS)
    assert ages_seen(policy, 6) == [1, 2, 3, 4, 5, 6]


def test_staggered_states_speak_between_half_a_period_and_one():
    policy = build_policy(dict(name="staggered", period=8), 4, LABELS)
    ages = ages_seen(policy, 20)
    assert ages[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ages[8:] == [5, 6, 7, 8] * 3
    assert build_policy("staggered", 4, LABELS).period == 8


def test_decay_halves_in_a_half_life():
    policy = build_policy(dict(name="decay", half_life=3), 4, LABELS)
    policy.begin(1)
    assert policy.fade**3 == pytest.approx(0.5)
    assert policy.average == policy.fade
    assert not policy.resets(STREAM).any()


def test_quiet_resets_one_stream():
    policy = build_policy(
        dict(name="reset_on_background", patience=2, threshold=0.6), 4, LABELS
    )
    policy.begin(2)
    both = np.array([0, 1])
    loud, quiet = [0.9, 0.0, 0.1], [0.2, 0.1, 0.7]
    anew = []
    for scores in ([loud, quiet], [loud, quiet], [quiet, loud]):
        policy.read(np.array(scores)[:, None], both)
        anew.append(policy.resets(both)[:, 0].tolist())
    assert anew == [[False, False], [False, True], [False, False]]


def test_restart_forgets_a_streams_age():
    policy = build_policy(dict(name="staggered", period=4), 4, LABELS)
    policy.begin(2)
    both = np.array([0, 1])
    for _ in range(3):
        policy.read(np.zeros((2, 2, 3)), both)
    policy.restart(np.array([0]))
    assert policy.resets(both).tolist() == [[True, True], [False, False]]


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
