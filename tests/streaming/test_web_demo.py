"""The browser page's visitors, and the page as its clients see it."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stream_cases import moving_square

gradio = pytest.importorskip("gradio", reason="needs gradio (extra `web`)")

DEMO = Path(__file__).parents[2] / "demo" / "web_demo.py"


@pytest.fixture
def demo():
    return runpy.run_path(str(DEMO))


@pytest.fixture
def shared(make_recognizer):
    """Thresholds that random weights reach."""
    events = dict(on=0.1, off=0.05, min_frames=1, background=[])
    return make_recognizer(policy="staggered", events=events)


def test_visitors_do_not_see_each_other(demo, shared, monkeypatch):
    # Frames come as evenly as those that are read at once, to each of the two in turn.
    ticks = itertools.count(step=0.5 / (shared.fps or 1))
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setitem(demo["Visitor"].see.__globals__, "time", clock)
    videos = [moving_square(6), moving_square(6)[::-1]]
    rgb = [[np.ascontiguousarray(x[..., ::-1]) for x in frames] for frames in videos]
    alone = [list(shared.run(frames)) for frames in videos]
    visitors = [demo["Visitor"](shared, "rgb") for _ in videos]
    for t in range(6):
        for visitor, frames, expected in zip(visitors, rgb, alone, strict=True):
            _, scores, gesture, _ = visitor.see(frames[t])
            np.testing.assert_allclose(list(scores.values()), expected[t].scores)
            assert gesture == expected[t].gesture.label
    visitors[0].restart()
    first = visitors[0].see(rgb[0][0])
    np.testing.assert_allclose(list(first[1].values()), alone[0][0].scores)
    assert len(first[3]) == 1  # the table begins anew, too


def test_watching_a_file_ends_its_gesture(demo, shared, video):
    views = list(demo["Visitor"](shared, "bgr").watch(video))
    assert len(views) == 8 + 1
    assert views[7][2] and views[7][3][-1][2] == ""
    assert views[8][2] == "" and views[8][3][-1][2] == 0.7


def test_table_keeps_the_last_rows(demo, shared):
    visitor = demo["Visitor"](shared, "rgb")
    event = shared.fork().update(moving_square(1)[0]).events[0]
    for second in range(60):
        visitor.note([type(event)(**(event.as_dict() | dict(detected=second)))])
    assert list(visitor.table) == list(range(60 - demo["ROWS"], 60))


def test_page_serves_a_file_and_names_a_bad_one(demo, shared, video, tmp_path):
    client = pytest.importorskip("gradio_client")
    page = demo["build"](shared, visitors=1)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        visitor = client.Client(url, verbose=False)
        send = client.handle_file(video)
        view = visitor.predict(send, api_name="/watch")
        assert view[1]["confidences"][0]["label"] in shared.labels
        broken = tmp_path / "broken.mp4"
        broken.write_text("no video")
        send = client.handle_file(broken)
        with pytest.raises(
            client.exceptions.AppError, match="cannot be read by"
        ) as seen:
            visitor.predict(send, api_name="/watch")
        # Where the server keeps it is nobody's business.
        assert str(seen.value).startswith("broken.mp4 ")
    finally:
        page.close()
