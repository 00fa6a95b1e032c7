"""What becomes of the state in an endless video."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path

import numpy as np
import pytest
from stream_cases import moving_square

from lcr_runtime.policies import (
    POLICIES,
    Policy,
    build_policy,
    register_policy,
)

LABELS = ["Left", "Right", "No gesture"]
STREAM = np.array([0])
BOTH = np.array([0, 1])


@pytest.fixture(params=POLICIES)
def policy(request) -> Policy:
    """Each registered policy, with two streams."""
    policy = build_policy(request.param, 4, LABELS)
    policy.begin(2)
    return policy


def play(policy: Policy, answers: np.ndarray, streams: np.ndarray) -> list[tuple]:
    """What a policy says frame by frame to answers ``[T, num_classes]``."""
    said = []
    for answer in answers:
        anew = policy.advance(streams)
        said.append((anew.tolist(), policy.speaker(streams).tolist()))
        policy.observe(np.repeat(answer[None], len(streams), axis=0), streams)
    return said


@pytest.fixture
def answers() -> np.ndarray:
    """40 frames, loud and quiet by turns."""
    loud = np.tile(np.repeat([1.0, 0.0], 5), 4)
    return np.stack([0.9 * loud, np.full(40, 0.1), 0.9 * (1 - loud)], axis=1)


def test_contract_of_shapes_and_ranges(policy, answers):
    assert type(policy).__doc__ and not inspect.isabstract(policy)
    assert 0 < policy.fade <= 1 and 0 <= policy.average <= 1
    for anew, speaker in play(policy, answers, BOTH):
        assert np.shape(anew) == (2, policy.replicas)
        assert np.asarray(anew).dtype == bool
        assert all(0 <= s < policy.replicas for s in speaker)
    assert policy.ages.shape == (2, policy.replicas)


def test_contract_resets_are_a_pure_question(policy, answers):
    for row in answers:
        first = policy.resets(BOTH)
        assert np.array_equal(first, policy.resets(BOTH))
        assert np.array_equal(first, policy.advance(BOTH))
        policy.observe(np.stack([row, row]), BOTH)


def test_contract_streams_do_not_see_each_other(policy, answers):
    alone = copy.deepcopy(policy)
    expected = play(alone, answers, STREAM)
    said = []
    for row, other in zip(answers, answers[::-1], strict=True):
        anew = policy.advance(BOTH)
        said.append(([anew[0].tolist()], [int(policy.speaker(BOTH)[0])]))
        policy.observe(np.stack([row, other]), BOTH)
    assert said == expected


def test_contract_restart_is_a_new_beginning(policy, answers):
    expected = play(copy.deepcopy(policy), answers, STREAM)
    play(policy, answers[:17], BOTH)
    policy.restart(STREAM)
    assert play(policy, answers, STREAM) == expected


def test_contract_ages_count_frames_since_a_reset(policy, answers):
    ages = np.zeros((1, policy.replicas), int)
    for row in answers:
        ages = np.where(policy.advance(STREAM), 0, ages) + 1
        assert np.array_equal(policy.ages[STREAM], ages)
        policy.observe(row[None], STREAM)


def ages_seen(policy, num_frames):
    """Age of the state that spoke at each frame."""
    policy.begin(1)
    spoken = []
    for _ in range(num_frames):
        policy.advance(STREAM)
        spoken.append(int(policy.ages[0, policy.speaker(STREAM)[0]]))
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
    loud, quiet = [0.9, 0.0, 0.1], [0.2, 0.1, 0.7]
    anew = []
    for scores in ([loud, quiet], [loud, quiet], [quiet, loud], [quiet, quiet]):
        anew.append(policy.advance(BOTH)[:, 0].tolist())
        policy.observe(np.array(scores), BOTH)
    assert anew == [[False] * 2, [False] * 2, [False, True], [False] * 2]
    assert policy.resets(BOTH)[:, 0].tolist() == [True, False]


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


def test_a_policy_of_ones_own_is_one_file(make_recognizer, tmp_path, monkeypatch):
    """As CONTRIBUTING.md shows it, but for the period."""
    page = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("## Add a policy")[1]
    code = section.split("```python\n")[1].split("```")[0]
    assert sum(map(bool, code.splitlines())) == 5
    (tmp_path / "every_minute.py").write_text(code.replace("240", "3"))
    monkeypatch.syspath_prepend(tmp_path)
    __import__("every_minute")
    try:
        results = list(make_recognizer(policy="every_minute").run(moving_square(7)))
        assert [result.age for result in results] == [1, 2, 3, 1, 2, 3, 1]
        with pytest.raises(ValueError, match="'every_minute' already"):
            register_policy("every_minute")(POLICIES["keep"])
    finally:
        POLICIES.pop("every_minute")
