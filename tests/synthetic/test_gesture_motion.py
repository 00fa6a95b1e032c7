"""The hand does what its class says, seen in joints and in pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from renderer.classes import (
    CLASSES,
    FLIP_LABEL_MAP,
    REVERSED_LABEL_MAP,
)
from renderer.gestures import draw_motion, perform
from renderer.hand import forward_kinematics, rotation
from renderer.motion import draw_phases
from renderer.person import PEOPLE, Person, make_person
from renderer.render import render_clip, render_motion
from renderer.scene import make_room

TRIALS = 12


def draw_core(label: int, trial: int) -> tuple[Person, np.ndarray, np.ndarray]:
    """Person, joints `[T, 26, 3]` as on screen and angles, over the stroke."""
    person = make_person("train", trial, seed=5)
    rng = np.random.default_rng([label, trial])
    motion, phases = perform(label, person, rng, 48)
    core = motion[slice(*phases.core)]
    joints = forward_kinematics(person.hand, core.wrist, core.angles, core.pose)
    points = np.concatenate(
        [joints.fingers.reshape(len(core), -1, 3), joints.palm], axis=1
    )
    points[..., 0] *= core.mirror[:, None]
    tilt = core.angles[:, 0] * core.mirror
    return person, points, tilt


def moved(label: int, trial: int, axis: int) -> float:
    """How far the hand's centre goes during the stroke."""
    _, points, _ = draw_core(label, trial)
    centre = points.mean(1)
    return float(centre[-1, axis] - centre[0, axis])


@pytest.mark.parametrize(
    ("label", "axis", "sign"),
    [
        (0, 0, -1),  # left on screen
        (1, 0, 1),
        (2, 1, 1),  # down on screen
        (3, 1, -1),
        (4, 2, -1),  # away from the person is towards the camera
        (5, 2, 1),
        (6, 0, -1),
        (7, 0, 1),
        (8, 1, 1),
        (9, 1, -1),
        (10, 2, -1),
        (11, 2, 1),
    ],
)
def test_strokes_go_their_way(label: int, axis: int, sign: int) -> None:
    for trial in range(TRIALS):
        assert sign * moved(label, trial, axis) > 0.15


@pytest.mark.parametrize(("label", "sign"), [(14, 1), (15, -1)])
def test_turns_are_as_seen_on_screen(label: int, sign: int) -> None:
    for trial in range(TRIALS):
        _, _, tilt = draw_core(label, trial)
        assert sign * (tilt[-1] - tilt[0]) > 60


@pytest.mark.parametrize(("label", "sign"), [(12, 1), (13, -1)])
def test_rolls_go_round_over_the_top(label: int, sign: int) -> None:
    for trial in range(TRIALS):
        _, points, _ = draw_core(label, trial)
        centre = points.mean(1)
        up = -(centre[:, 1] - centre[:, 1].mean())
        near = -(centre[:, 2] - centre[:, 2].mean())
        turned = np.unwrap(np.arctan2(near, up))
        assert sign * (turned[-1] - turned[0]) > np.pi


@pytest.mark.parametrize(
    ("label", "tips", "sign"),
    [(16, [3, 19], 1), (17, [3, 19], -1), (18, [3, 19], 1), (19, [3, 19], -1)],
)
def test_zooms_part_or_close_thumb_and_finger(
    label: int, tips: list[int], sign: int
) -> None:
    for trial in range(TRIALS):
        person, points, _ = draw_core(label, trial)
        span = np.linalg.norm(points[:, tips[0]] - points[:, tips[1]], axis=-1)
        assert sign * (span[-1] - span[0]) > 0.25 * person.hand.length


@pytest.mark.parametrize(("label", "sign"), [(20, -1), (21, 1)])
def test_thumbs_point_up_and_down(label: int, sign: int) -> None:
    for trial in range(TRIALS):
        person, points, _ = draw_core(label, trial)
        thumb = points[:, 19, 1] - points[:, 16, 1]
        assert (sign * thumb > 0.2 * person.hand.length).all()


def test_both_hands_perform_every_class() -> None:
    person = make_person("train", 0, seed=0)
    for label in range(len(CLASSES)):
        sides = {
            draw_motion(label, person, np.random.default_rng([label, n]), 16).mirror[0]
            for n in range(16)
        }
        assert sides == {1.0, -1.0}, CLASSES[label]


def test_the_ends_of_a_clip_are_interchangeable() -> None:
    rng = np.random.default_rng(0)
    draws = [draw_phases(rng, 24, 1.0) for _ in range(600)]
    raised = np.mean([phases.raised for phases in draws], axis=0)
    # The standard error of these means is about 0.02.
    np.testing.assert_allclose(raised, raised[::-1], atol=0.08)


def test_label_maps_are_involutions() -> None:
    for mapping in (FLIP_LABEL_MAP, REVERSED_LABEL_MAP):
        assert all(mapping[other] == label for label, other in mapping.items())
    for label, other in FLIP_LABEL_MAP.items():
        swapped = (
            CLASSES[label].replace("Left", "Right").replace("Clock", "Counterclock")
        )
        if label % 2 == 0:
            assert swapped == CLASSES[other]


def bare(person: Person) -> Person:
    """The same person without body, noise and shake."""
    return dataclasses.replace(
        person, shows_body=False, noise=1.0, jitter=0.0, light=(0.0, 0.0), gain=1.0
    )


def pixel_path(clip: np.ndarray) -> np.ndarray:
    """Centroid x of what differs from the empty room, over the frames with a hand."""
    room = np.median(clip, axis=0)
    mask = np.abs(clip.astype(float) - room).max(-1) > 40
    seen = mask.sum((1, 2)) > 0.06 * mask[0].size
    x = np.arange(clip.shape[2])
    return np.array([(m.sum(0) * x).sum() / m.sum() for m in mask[seen]])


@pytest.mark.parametrize(("label", "sign"), [(0, -1), (1, 1)])
def test_swipes_move_in_pixels_and_flip_into_each_other(label: int, sign: int) -> None:
    ways, flipped = [], []
    for trial in range(8):
        person = bare(make_person("train", 40 + trial, seed=1))
        clip = render_clip(label, person, np.random.default_rng([label, trial]), 40)
        time = np.linspace(-1, 1, len(pixel_path(clip)))
        ways.append(np.polyfit(time, pixel_path(clip), 1)[0])
        flipped.append(np.polyfit(time, pixel_path(clip[:, :, ::-1]), 1)[0])
    assert np.median(np.multiply(sign, ways)) > 5
    assert np.median(np.multiply(sign, flipped)) < -5


def test_mirrored_motion_draws_the_mirrored_hand() -> None:
    person = dataclasses.replace(bare(make_person("train", 3, seed=0)), blur=0.0)
    motion = draw_motion(4, person, np.random.default_rng(2), 12)
    other = dataclasses.replace(motion, mirror=-motion.mirror)
    room = dataclasses.replace(motion, wrist=motion.wrist + [0.0, 50.0, 0.0])
    clips = [
        render_motion(m, person, np.random.default_rng(0)).astype(int)
        for m in (motion, other, room)
    ]
    shapes = [np.abs(clip - clips[2]).max(-1) > 30 for clip in clips[:2]]
    assert shapes[0].any()
    overlap = (shapes[0] & shapes[1][:, :, ::-1]).sum() / shapes[0].sum()
    assert overlap > 0.9


def test_rotation_turns_as_documented() -> None:
    tilt, pitch, yaw, twist = rotation(np.eye(4) * 90.0)
    fingers, thumb = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(tilt @ fingers, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(pitch @ fingers, [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(yaw @ fingers, fingers, atol=1e-12)
    np.testing.assert_allclose(twist @ thumb, [0, 1, 0], atol=1e-12)


def test_splits_share_no_people() -> None:
    train = {tuple(make_person("train", n, 0).skin) for n in range(PEOPLE["train"])}
    validation = {
        tuple(make_person("validation", n, 0).skin) for n in range(PEOPLE["validation"])
    }
    assert len(train) == PEOPLE["train"]
    assert len(validation) == PEOPLE["validation"]
    assert not train & validation


def test_bad_requests_are_refused() -> None:
    person, rng = make_person("train", 0, 0), np.random.default_rng(0)
    with pytest.raises(ValueError, match="label 27"):
        render_clip(27, person, rng, 20)
    with pytest.raises(ValueError, match="num_frames = 1"):
        render_clip(0, person, rng, 1)
    with pytest.raises(ValueError, match="unknown split 'test'"):
        make_person("test", 0, 0)
    with pytest.raises(ValueError, match="person 1200"):
        make_person("train", 1200, 0)


def test_clutter_roughens_the_room() -> None:
    def roughness(clutter: float) -> float:
        people = [make_person("train", n, 0, clutter) for n in range(20)]
        return float(
            np.mean([make_room(person).std((0, 1)).mean() for person in people])
        )

    assert roughness(0.0) + 3 < roughness(0.5) < roughness(1.0) - 3
    with pytest.raises(ValueError, match="clutter = 1.5"):
        make_person("train", 0, 0, clutter=1.5)
