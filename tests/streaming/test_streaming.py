"""The streaming recognizer against MMAction2's own test of the same video."""

from __future__ import annotations

import copy
import dataclasses
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine import Config
from stream_cases import moving_square, write_video

from lcr_mmaction.models.state import state_bytes, state_tensors
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_mmaction.streaming.pipeline import normalise
from lcr_runtime.running_mean import softmax

LABELS = ["Left", "Right", "No gesture", "Doing other things"]


@pytest.fixture
def make(make_recognizer):
    return make_recognizer


def frames_of(video) -> list:
    capture = cv2.VideoCapture(video)
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


@pytest.mark.parametrize(
    ("consensus", "policy"),
    [("mean", "staggered"), ("last", "keep"), ("last", "staggered")],
)
def test_last_scores_equal_mmaction2s_test(make, config_file, video, consensus, policy):
    from mmaction.apis import inference_recognizer

    setting = f"model['cls_head'].update(consensus={consensus!r})"
    config_file.write_text(config_file.read_text() + setting)
    recognizer = make(policy=policy)
    results = list(recognizer.run(video))
    sample = inference_recognizer(recognizer.model, video)
    # Decord and OpenCV may differ by one grey value; here they decode alike.
    np.testing.assert_allclose(results[7].scores, sample.pred_score, atol=1e-5)
    assert results[7].label == LABELS[int(sample.pred_score.argmax())]
    assert results[7].score == pytest.approx(float(sample.pred_score.max()), abs=1e-5)


@pytest.mark.parametrize("policy", ["keep", "decay", "staggered"])
def test_a_result_explains_its_scores(make, policy):
    """Scores follow from the logits of the state that spoke, back to its start."""
    recognizer = make(policy=dict(name=policy))
    results = list(recognizer.run(moving_square(24)))
    factor = recognizer.readout.mean.factor
    states: dict[int, list] = {}
    for t, result in enumerate(results):
        assert result.logits.shape == (4,)
        states.setdefault(result.replica, []).append((t, result))
        # Frames of this state that were reported: all since its start, or the later
        # ones, where the other state spoke before.
        mine = [r for at, r in states[result.replica] if at > t - result.age]
        if len(mine) < result.age:
            continue
        weights = factor ** np.arange(result.age)[::-1]
        mean = np.average([r.logits for r in mine], axis=0, weights=weights)
        np.testing.assert_allclose(result.scores, softmax(mean), atol=1e-6)
    assert {r.replica for r in results} == set(range(recognizer.policy.replicas))


def test_the_speaking_state_equals_a_clip_of_its_age(make):
    """Why a stream's score differs from a clip's: it is another clip's."""
    frames = moving_square(30)
    results = list(make(policy=dict(name="staggered", period=8)).run(frames))
    for t in (3, 9, 14, 29):
        age = results[t].age
        clip = list(make(policy="staggered").run(frames[t + 1 - age : t + 1]))
        np.testing.assert_allclose(results[t].scores, clip[-1].scores, atol=1e-6)
        np.testing.assert_allclose(results[t].logits, clip[-1].logits, atol=1e-5)


def test_kept_state_averages_over_about_a_clip(make):
    """The mean over frames forgets, or an endless stream would freeze."""
    recognizer = make(policy="keep")
    first = moving_square(1)[0]
    still = [recognizer.update(first).scores for _ in range(60)]
    other = [recognizer.update(255 - first).scores for _ in range(24)]
    moved = np.abs(other[-1] - still[-1]).max()
    assert np.abs(still[-1] - still[-2]).max() < 0.01 * moved
    assert moved > 0.05


def test_every_prefix_equals_the_clip_of_its_frames(make):
    recognizer = make()
    frames = moving_square(6)
    steps = [recognizer.update(frame).scores for frame in frames]
    assert np.ptp(steps, axis=0).max() > 1e-3, "scores must move"
    for t, step in enumerate(steps):
        recognizer.reset()
        for frame in frames[: t + 1]:
            result = recognizer.update(frame)
        np.testing.assert_allclose(result.scores, step, atol=1e-6)
        assert result.index == t


def test_channel_order_matters_and_is_honoured(make):
    bgr = moving_square(3)
    rgb = [np.ascontiguousarray(frame[..., ::-1]) for frame in bgr]
    as_bgr = [r.scores for r in make().run(bgr)]
    as_rgb = [r.scores for r in make(channel_order="rgb").run(rgb)]
    wrong = [r.scores for r in make(channel_order="rgb").run(bgr)]
    np.testing.assert_allclose(as_bgr, as_rgb, atol=1e-6)
    assert np.abs(np.subtract(as_bgr, wrong)).max() > 1e-3


def test_video_colours_do_not_depend_on_the_order_of_arrays(make, video):
    for bgr, rgb in zip(
        make().run(video), make(channel_order="rgb").run(video), strict=True
    ):
        np.testing.assert_array_equal(bgr.scores, rgb.scores)


def test_smoothing_is_an_exponential_average(make):
    frames = moving_square(5)
    raw = [r.scores for r in make().run(frames)]
    smooth = [r.scores for r in make(smoothing=0.75).run(frames)]
    expected = raw[0]
    np.testing.assert_allclose(smooth[0], expected, atol=1e-6)
    for scores, now in zip(raw[1:], smooth[1:], strict=True):
        expected = 0.75 * expected + 0.25 * scores
        np.testing.assert_allclose(now, expected, atol=1e-6)


def test_batched_streams_equal_single_ones(make):
    videos = [moving_square(6), moving_square(6)[::-1]]
    alone = [[r.scores for r in make().run(frames)] for frames in videos]
    batched = list(make(num_streams=2).run_many(videos))
    for i in range(2):
        together = [results[i].scores for results in batched]
        np.testing.assert_allclose(together, alone[i], atol=1e-5)
        assert {results[i].stream for results in batched} == {i}


@pytest.mark.parametrize("policy", ["keep", "staggered"])
def test_streams_may_miss_frames(make, policy):
    """A stream without a new frame keeps its state while others go on."""
    frames = moving_square(6)
    alone = [r.scores for r in make(policy=policy).run(frames)]
    recognizer = make(policy=policy, num_streams=2)
    for t in range(6):
        first, second = recognizer.update_batch([frames[t], None])
        np.testing.assert_allclose(first.scores, alone[t], atol=1e-5)
        assert second is None
    for t in range(6):
        _, second = recognizer.update_batch([None, frames[t]])
        np.testing.assert_allclose(second.scores, alone[t], atol=1e-5)
    assert recognizer.update_batch([None, None]) == [None, None]


def test_resetting_one_stream_leaves_the_other(make):
    frames = moving_square(6)
    recognizer = make(num_streams=2, smoothing=0.5)
    for t in range(3):
        recognizer.update_batch([frames[t], frames[t]])
    recognizer.reset([0])
    alone = make(smoothing=0.5)
    for t in range(3):
        alone.update(frames[t])
    for t in range(3, 6):
        first, second = recognizer.update_batch([frames[t - 3], frames[t]])
        assert (first.index, second.index) == (t - 3, t)
        kept = alone.update(frames[t])
        np.testing.assert_allclose(second.scores, kept.scores, atol=1e-5)
    fresh = [r.scores for r in make(smoothing=0.5).run(frames[:3])]
    np.testing.assert_allclose(first.scores, fresh[-1], atol=1e-5)


def test_forks_share_weights_and_nothing_else(make):
    options = dict(policy="staggered", smoothing=0.5)
    videos = [moving_square(6), moving_square(6)[::-1], moving_square(12)[6:]]
    alone = [[r.scores for r in make(**options).run(frames)] for frames in videos]
    first = make(**options)
    forks = [first]
    for frames in videos:  # the second and third start while others are under way
        first.update(frames[0])
        forks.append(first.fork())
    first.reset()
    for t in range(6):
        for fork, frames, scores in zip(forks[1:], videos, alone, strict=True):
            np.testing.assert_array_equal(fork.update(frames[t]).scores, scores[t])
        np.testing.assert_array_equal(first.update(videos[0][t]).scores, alone[0][t])
    assert all(fork.model is first.model for fork in forks)
    rgb = first.fork(channel_order="rgb")
    turned = rgb.update(np.ascontiguousarray(videos[0][0][..., ::-1]))
    np.testing.assert_array_equal(turned.scores, alone[0][0])


def test_a_fork_may_have_streams_and_options_of_its_own(make):
    frames = moving_square(5)
    shared = make(policy="keep")
    options = dataclasses.replace(shared.options, policy="staggered", smoothing=0.5)
    fork = shared.fork(options=options, num_streams=2)
    alone = make(policy="staggered", smoothing=0.5)
    for frame in frames:
        expected = alone.update(frame).scores
        for result in fork.update_batch([frame, frame]):
            np.testing.assert_allclose(result.scores, expected, atol=1e-5)
    assert shared.num_streams == 1 and shared.options.policy == "keep"


def test_run_many_outlasts_the_shorter_source(make):
    batches = list(make(num_streams=2).run_many([moving_square(2), moving_square(4)]))
    counts = [sum(r[i] is not None for r in batches) for i in range(2)]
    assert counts == [2, 4]


def test_videos_are_thinned_to_the_models_frame_rate(make, tmp_path):
    video = write_video(tmp_path / "fast.mp4", moving_square(30), fps=30)
    indices = [r.index for r in make(fps=10).run(video)]
    times = [r.time for r in make(fps=10).run(video)]
    assert indices == list(range(10))
    np.testing.assert_allclose(times, np.arange(10) / 10, atol=0.04)
    every_third = [r.scores for r in make(fps=10).run(frames_of(video)[::3])]
    thinned = [r.scores for r in make(fps=10).run(video)]
    np.testing.assert_allclose(thinned, every_third, atol=1e-6)


def test_state_neither_grows_nor_ages_with_the_stream(make):
    recognizer = make()
    sizes = set()
    for _ in range(3):
        for frame in moving_square(20):
            result = recognizer.update(frame)
            sizes.add(state_bytes(recognizer.engine.state))
    assert len(sizes) == 1
    assert np.isfinite(result.scores).all()
    assert not any(
        x.requires_grad for x in state_tensors(recognizer.engine.state).values()
    )


def test_half_precision_scores_stay_close_and_the_state_keeps_its_dtype(make, video):
    exact = [r.scores for r in make().run(video)]
    recognizer = make(precision="bf16")
    rough, dtypes = [], []
    for result in recognizer.run(video):
        rough.append(result.scores)
        dtypes.append(
            [x.dtype for x in state_tensors(recognizer.engine.state).values()]
        )
    np.testing.assert_allclose(rough, exact, atol=0.02)
    assert not np.array_equal(rough, exact)
    assert all(later == dtypes[0] for later in dtypes)
    assert recognizer.engine.state.blocks[0].memory.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_a_compiled_step_gives_the_same_scores(make, video):
    exact = [r.scores for r in make().run(video)]
    compiled = [r.scores for r in make(compiled=True).run(video)]
    np.testing.assert_allclose(compiled, exact, atol=1e-5)


def test_an_unknown_precision_is_refused(make):
    with pytest.raises(ValueError, match="precision='int8'.*bf16"):
        make(precision="int8")


def test_result_shows_what_the_model_saw(make, video):
    result = next(make().run(video))
    assert result.picture.shape == (32, 32, 4)
    assert set(np.unique(result.picture[..., 3])) <= {0, 255}
    assert result.scores.shape == (4,)
    assert result.scores.sum() == pytest.approx(1, abs=1e-5)
    assert result.latency > 0


def test_stopping_early_closes_the_source(make, video):
    from lcr_mmaction.streaming import open_source

    source = open_source(video)
    results = make().run(source)
    next(results)
    assert not source.ended
    results.close()
    assert source.ended


def test_open_gesture_ends_with_finish(make):
    recognizer = make(events=dict(on=1e-6, off=1e-7, min_frames=1, background=[]))
    results = list(recognizer.run(moving_square(3)))
    assert len(results) == 3
    assert [event.phase for event in results[0].events] == ["start"]
    assert results[-1].gesture is not None
    ((end,),) = recognizer.finish()
    assert end.phase == "end" and end.end == pytest.approx(0.2)
    assert recognizer.finish() == [[]]


def test_labels_come_from_argument_file_config_or_index(make, config_file, tmp_path):
    assert make().labels == LABELS
    names = ["a", "b", "c", "d"]
    assert make(labels=names).labels == names
    file = tmp_path / "label_map.txt"
    file.write_text("a\nb\nc\nd\n")
    assert make(labels=file).labels == names
    with pytest.raises(ValueError, match="3 labels for the 4 classes"):
        make(labels=names[:3])
    config = Config.fromfile(config_file)
    config.pop("streaming")
    with pytest.warns(UserWarning, match="random weights"):
        assert StreamingRecognizer(config).labels == ["0", "1", "2", "3"]
    config.test_dataloader = dict(dataset=dict(metainfo=dict(classes=names)))
    with pytest.warns(UserWarning, match="random weights"):
        assert StreamingRecognizer(config).labels == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(smoothing=1.0), "smoothing must lie"),
        (dict(policy="forget"), "policy 'forget' is unknown"),
        (dict(events=dict(on=0.2, off=0.4)), "0 < off <= on"),
    ],
)
def test_bad_options_are_named(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_wrong_number_of_frames_or_sources_is_named(make):
    recognizer = make(num_streams=2)
    with pytest.raises(ValueError, match="expected 2 frames"):
        recognizer.update_batch(moving_square(3))
    with pytest.raises(ValueError, match="update_batch"):
        recognizer.update(moving_square(1)[0])
    with pytest.raises(ValueError, match="1 sources for 2 streams"):
        next(recognizer.run_many([moving_square(1)]))


def test_other_models_are_refused(config_file):
    config = Config.fromfile(config_file)
    config.model.backbone = dict(type="C3D", out_dim=8192)
    config.model.cls_head = dict(type="I3DHead", num_classes=4, in_channels=4096)
    with (
        pytest.warns(UserWarning, match="random weights"),
        pytest.raises(TypeError, match="C3D has no step"),
    ):
        StreamingRecognizer(config)


def test_a_stream_of_uneven_times_is_the_clip_of_these_times(make_recognizer):
    recognizer = make_recognizer(policy="keep", smoothing=0, fps=4)
    frames, times = moving_square(6), [0.0, 0.25, 0.35, 1.2, 1.2, 1.7]
    results = [recognizer.update(x, t) for x, t in zip(frames, times, strict=True)]
    elapsed = [1.0, *np.maximum(np.round(np.diff(times) * 4, 3), 1e-3)]
    engine = recognizer.engine
    pictures = [engine.prepare(frame, "bgr") for frame in frames]
    clip = normalise(recognizer.model.data_preprocessor, pictures)
    with torch.no_grad():
        features = recognizer.model.backbone(
            clip.transpose(0, 1)[None], torch.tensor([elapsed]).to(clip)
        )
        expected = recognizer.model.cls_head.score(features)[0].numpy()
    found = np.array([result.logits for result in results])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    again = make_recognizer(policy="keep", smoothing=0, fps=4)
    even = [again.update(x, i / 4).logits for i, x in enumerate(frames)]
    assert not np.allclose(even[-1], found[-1], atol=1e-3)
    again.reset()
    untimed = [again.update(frame).logits for frame in frames]
    np.testing.assert_array_equal(untimed, even)


@pytest.fixture
def thinning(make_recognizer):
    def make(**options):
        recognizer = make_recognizer(fps=4.0, **options)
        thin = dataclasses.replace(recognizer.options, thin=True)
        return recognizer.fork(options=thin)

    return make


@pytest.mark.parametrize("rate", [1, 1.25, 2, 3, 4, 6, 7.5])
def test_frames_faster_than_in_training_are_thinned_out(thinning, rate):
    recognizer = thinning()
    frames = moving_square(40)
    results = [recognizer.update(x, i / 4 / rate) for i, x in enumerate(frames)]
    read = [i for i, result in enumerate(results) if result.read]
    gaps = set(np.diff(read) / rate)
    # Evenly, about as in training.
    assert len(gaps) == 1 and all(0.6 < gap < 1.35 for gap in gaps)
    alone = thinning()
    for i, image in enumerate(frames):
        assert results[i].image is image and results[i].time == i / 4 / rate
        if i in read:
            last = alone.update(image, i / 4 / rate)
        else:
            assert results[i].events == ()
        np.testing.assert_array_equal(results[i].scores, last.scores)
        assert results[i].index == last.index + (i not in read)


def test_a_frame_is_read_where_times_say_nothing(thinning):
    recognizer = thinning()
    frames = moving_square(8)
    # A clock that stands still or goes back, and times that are missing.
    for image, time in zip(frames, (0.0, 0.0, 9.0, 3.0, None, 3.1, None), strict=False):
        assert recognizer.update(image, time).read
    options = dataclasses.replace(recognizer.options, thin=False)
    every = recognizer.fork(options=options)
    assert all(every.update(x, i / 100).read for i, x in enumerate(frames))


def test_streams_of_a_batch_are_thinned_out_by_themselves(thinning):
    recognizer = thinning(num_streams=2)
    alone = [thinning() for _ in range(2)]
    for i, image in enumerate(moving_square(12)):
        times = [i / 4, i / 12]
        both = recognizer.update_batch([image, image], times)
        for result, one, time in zip(both, alone, times, strict=True):
            expected = one.update(image, time)
            assert result.read == expected.read
            np.testing.assert_allclose(result.scores, expected.scores, atol=1e-5)
    later = copy.deepcopy(recognizer)
    assert not later.update_batch([None, image], [None, 11 / 12 + 1e-3])[1].read
