"""One recognizer for several threads, loops and copies: right, or refused."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from stream_cases import moving_square

from lcr_runtime import load_recognizer
from lcr_runtime.engines import installed_engines
from lcr_runtime.shipped import shipped_file


@pytest.fixture(params=["torch", "onnxruntime", "openvino"])
def recognizer(request, make_recognizer):
    if request.param == "torch":
        return make_recognizer(policy="staggered")
    if request.param not in installed_engines():
        pytest.skip(f"{request.param} is not installed")
    return load_recognizer(shipped_file(), request.param, threads=1)


def frames(seed, count=6):
    shown = moving_square(count)
    return [np.roll(frame, 7 * seed, axis=1) for frame in shown]


def scores(recognizer, seen):
    return np.stack([recognizer.update(frame).scores for frame in seen])


def test_forks_in_threads_give_what_each_gives_alone(recognizer):
    seen = [frames(seed) for seed in range(3)]
    alone = [scores(recognizer.fork(), x) for x in seen]
    with ThreadPoolExecutor(3) as threads:
        forks = [recognizer.fork() for _ in seen]
        together = list(threads.map(scores, forks, seen))
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_two_threads_at_one_recognizer_are_refused(recognizer, monkeypatch):
    began, goes_on = threading.Event(), threading.Event()
    prepare = recognizer.engine.prepare

    def slowly(*args):
        began.set()
        assert goes_on.wait(60)
        return prepare(*args)

    expected = scores(recognizer.fork(), frames(0))
    monkeypatch.setattr(recognizer.engine, "prepare", slowly)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(scores, recognizer, frames(0))
        assert began.wait(60)
        for call in (
            lambda: recognizer.update(frames(0)[0]),
            recognizer.reset,
            lambda: copy.deepcopy(recognizer),
        ):
            with pytest.raises(RuntimeError, match=r"another thread.*fork\(\)"):
                call()
        goes_on.set()
        # What was refused has changed nothing.
        np.testing.assert_allclose(first.result(), expected, rtol=1e-5)


def test_a_run_ends_where_another_has_taken_its_state(recognizer):
    first = recognizer.run(frames(0))
    next(first)
    second = recognizer.run(frames(1))
    next(second)
    with pytest.raises(RuntimeError, match=r"another run has begun.*fork\(\)"):
        next(first)
    rest = [result.scores for result in second]
    np.testing.assert_allclose(rest, scores(recognizer.fork(), frames(1))[1:], 1e-5)


def test_a_deep_copy_goes_on_from_where_the_original_is(recognizer):
    seen = frames(0, 8)
    expected = scores(recognizer.fork(), seen)
    scores(recognizer, seen[:4])
    copied = copy.deepcopy(recognizer)
    # Neither reaches the other.
    scores(recognizer, frames(2))
    np.testing.assert_allclose(scores(copied, seen[4:]), expected[4:], rtol=1e-5)


def test_other_copies_are_refused(recognizer):
    with pytest.raises(TypeError, match=r"share its state: use fork\(\)"):
        copy.copy(recognizer)
    with pytest.raises(TypeError, match="open the model in the process that runs it"):
        pickle.dumps(recognizer)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.half(),
        lambda model: model.bfloat16(),
        lambda model: model.double(),
        lambda model: model.to("meta"),
        lambda model: model.cls_head.half(),
    ],
    ids=["half", "bfloat16", "double", "moved", "head"],
)
def test_a_model_that_was_converted_is_refused(make_recognizer, change):
    recognizer = make_recognizer()
    scores(recognizer, frames(0)[:2])
    change(recognizer.model)
    with pytest.raises(RuntimeError, match=r"model was loaded as.*precision="):
        recognizer.update(frames(0)[2])


def test_training_the_model_of_a_recognizer_is_refused_until_it_is_over(
    make_recognizer,
):
    recognizer = make_recognizer()
    expected = scores(recognizer.fork(), frames(0))
    recognizer.model.train()
    with pytest.raises(RuntimeError, match="training"):
        recognizer.update(frames(0)[0])
    recognizer.model.eval()
    np.testing.assert_array_equal(scores(recognizer, frames(0)), expected)
    assert not torch.is_inference(next(recognizer.model.parameters()))
