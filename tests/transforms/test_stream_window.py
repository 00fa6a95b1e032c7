"""Windows of continuous videos: which frames, and what each is called."""

from __future__ import annotations

import numpy as np
import pytest
from mmaction.datasets.transforms import Flip

from lcr_mmaction.transforms import IGNORED, FrameTargets, SampleWindow

BACKGROUND = 5
FLIP = {0: 1, 1: 0}


def event(label: int, start: int, core: tuple[int, int], end: int) -> dict:
    return dict(
        label=label,
        start_frame=start,
        core_start_frame=core[0],
        core_end_frame=core[1],
        end_frame=end,
    )


def video(**changes) -> dict:
    """Sixty frames: class 0 away from rest in 20..40, its movement in 24..34."""
    results = dict(
        frame_dir="video",
        total_frames=60,
        start_index=1,
        gesture=(20, 40),
        events=[event(0, 20, (24, 34), 40)],
    )
    return results | changes


def test_windows_have_a_fixed_stride_and_cover_all_of_the_gesture():
    np.random.seed(0)
    seen = set()
    for _ in range(300):
        window = SampleWindow(6, frame_interval=3)(video())
        frames = window["frame_inds"]
        assert np.array_equal(np.diff(frames), [3] * 5)
        assert frames[0] >= 1 and frames[-1] <= 60
        assert frames[0] - 1 <= 40 and frames[-1] - 1 >= 19
        seen |= set(frames.tolist())
    assert set(range(1 + 20, 1 + 40)) <= seen
    assert min(seen) < 1 + 14 and max(seen) > 1 + 44


def test_windows_at_the_ends_stay_within_the_video():
    np.random.seed(0)
    for gesture in ((0, 4), (56, 60)):
        frames = SampleWindow(30)(video(gesture=gesture))["frame_inds"]
        assert frames[0] == (1 if gesture[0] == 0 else 31)


def test_a_video_shorter_than_a_window_is_refused():
    with pytest.raises(ValueError, match="60 frames.*clip_len=21.*needs 61"):
        SampleWindow(21, 3)(video())


def targets(frames, flip: bool = False, events: list | None = None, **options) -> list:
    results = video(frame_inds=np.asarray(frames) + 1, flip=flip)
    if events is not None:
        results["events"] = events
    labels = FrameTargets(BACKGROUND, flip_label_map=FLIP, **options)(results)["label"]
    assert labels.dtype == np.int64
    return labels.tolist()


def test_every_frame_has_the_class_that_its_place_in_the_timeline_gives():
    labels = targets(range(60), known_from=0.5, fade=3)
    expected = [BACKGROUND] * 24 + [IGNORED] * 5 + [0] * 11 + [IGNORED] * 3
    assert labels == expected + [BACKGROUND] * 17


def test_targets_follow_the_stride():
    dense = targets(range(60))
    assert targets(range(7, 60, 4)) == dense[7::4]


def test_known_from_the_start_leaves_no_frame_out_before_the_end():
    labels = targets(range(24, 40), known_from=0.0)
    assert labels == [0] * 16


def test_neighbours_keep_their_own_class():
    events = [event(0, 0, (2, 6), 10), event(3, 11, (13, 17), 20)]
    labels = targets(range(22), events=events, known_from=0.0, fade=5)
    assert labels[2:10] == [0] * 8
    assert labels[13:20] == [3] * 7
    assert labels[10:13] == [IGNORED] * 3


def test_a_mirror_maps_the_class_of_every_frame_with_the_picture():
    gradient = np.tile(np.arange(8, dtype=np.uint8)[None, :, None], (4, 1, 3))
    results = video(
        frame_inds=np.arange(60) + 1,
        imgs=[gradient.copy() for _ in range(60)],
        img_shape=(4, 8),
        modality="RGB",
    )
    results = FrameTargets(BACKGROUND, flip_label_map=FLIP)(Flip(1.0)(results))
    assert np.array_equal(results["imgs"][0], gradient[:, ::-1])
    assert set(results["label"]) == {BACKGROUND, IGNORED, 1}
    plain = np.array(targets(range(60)))
    assert np.array_equal(results["label"] == 1, plain == 0)


@pytest.mark.parametrize("options", [dict(known_from=1.5), dict(fade=-1)])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="known_from <= 1 and fade >= 0"):
        FrameTargets(BACKGROUND, **options)
