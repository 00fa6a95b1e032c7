"""The browser page's scripts against the runtime, and the page in a browser."""

from __future__ import annotations

import functools
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from stream_cases import moving_square, write_video

from lcr_runtime import Readout, StreamOptions
from lcr_runtime.preprocess import PlainPreprocessor

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "demo" / "browser"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MODULES = Path(os.environ.get("LCR_NODE_MODULES", ROOT / "node_modules"))


def in_node(code: str, folder: Path) -> str:
    script = folder / "script.mjs"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(["node", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_node
@pytest.mark.parametrize(
    ("size", "steps"),
    [
        ((480, 640), [dict(type="Resize", scale=(64, 64), keep_ratio=False)]),
        ((47, 91), [dict(type="Resize", scale=(112, 112), keep_ratio=False)]),
        (
            (100, 60),
            [
                dict(type="Resize", scale=(-1, 40)),
                dict(type="CenterCrop", crop_size=32),
            ],
        ),
    ],
)
def test_pictures_are_opencvs(tmp_path, size, steps):
    steps = [*steps, dict(type="EdgeExtract")]
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    frame = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA).tofile(tmp_path / "frame")
    out = in_node(
        f"""
        import {{ readFileSync }} from "node:fs";
        import {{ prepare }} from "{(PAGE / "picture.js").as_uri()}";
        const data = new Uint8Array(readFileSync("{tmp_path / "frame"}"));
        const frame = {{ data, width: {size[1]}, height: {size[0]} }};
        console.log(prepare(frame, {json.dumps(steps)}).data.join(" "));
        """,
        tmp_path,
    )
    expected = PlainPreprocessor(steps)(frame)
    found = np.array(out.split(), np.uint8).reshape(expected.shape)
    difference = np.abs(found.astype(int) - expected)
    # OpenCV's vector code may round a pixel otherwise; an edge can follow from that.
    assert difference[..., :3].max() <= 1
    assert (difference[..., 3] > 0).mean() < 0.01
    if not difference[..., :3].any():
        assert not difference[..., 3].any()


@needs_node
@pytest.mark.parametrize(
    "policy",
    ["keep", dict(name="decay", half_life=3), "staggered", "reset_on_background"],
)
@pytest.mark.parametrize("consensus", ["mean", "last"])
def test_scores_and_events_are_the_runtimes(tmp_path, policy, consensus):
    labels = ["Left", "Right", "No gesture"]
    options = StreamOptions(
        labels, clip_len=8, consensus=consensus, fps=10, policy=policy, smoothing=0.4
    )
    slow = np.random.default_rng(1).normal(size=(12, 3))
    logits = np.repeat(slow * 4, 10, axis=0).astype(np.float32)
    readout = Readout(options)
    stream, expected, events = np.array([0]), [], []
    for row in logits:
        replicas = readout.restarts(stream).shape[1]
        (reading,) = readout.read(np.tile(row, (1, replicas, 1)), stream)
        expected.append(reading.scores)
        events += [event.as_dict() for event in reading.events]
    events += [event.as_dict() for event in readout.finish()[0]]
    about = {"stream": options.as_dict(), "state": {}, "recurrent": []}
    out = in_node(
        f"""
        import {{ Recognizer }} from "{(PAGE / "stream.js").as_uri()}";
        const rows = {json.dumps(logits.tolist())}, scores = [], events = [];
        let row;
        const run = async () => ({{ logits: {{ data: row }} }});
        const session = {{ inputNames: ["frame"], run }};
        const ort = {{ Tensor: class {{}} }};
        const recognizer = new Recognizer(ort, session, {json.dumps(about)});
        for (let i = 0; i < rows.length; i++) {{
          row = rows[i];
          const result = await recognizer.update({{}}, i / 10);
          scores.push(result.scores);
          events.push(...result.events);
        }}
        events.push(...recognizer.finish());
        console.log(JSON.stringify({{ scores, events }}));
        """,
        tmp_path,
    )
    found = json.loads(out)
    np.testing.assert_allclose(found["scores"], expected, atol=1e-9)
    assert len(events) > 2
    for left, right in zip(found["events"], events, strict=True):
        assert left == pytest.approx(right)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.skipif(
    not (MODULES / "onnxruntime-web").is_dir(),
    reason="needs onnxruntime-web (npm install; LCR_NODE_MODULES says where it is)",
)
def test_the_page_reads_a_camera(tmp_path):
    site = tmp_path / "site"
    assemble = [sys.executable, PAGE / "assemble.py", site, "--modules", MODULES]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(assemble, env=env, check=True, capture_output=True)
    # What a visitor does with a finger, and then tells.
    page = (site / "page.js").read_text("utf-8")
    page += """
        const tell = (text) => fetch("/told", { method: "POST", body: text });
        ready.then(() => find("camera").click(), (error) => tell(error.message));
        setInterval(() => {
          const frames = parseInt(find("speed").textContent);
          if (frames > 10) tell(find("speed").textContent);
        }, 200);
    """
    (site / "page.js").write_text(page, encoding="utf-8")
    video = tmp_path / "camera.mjpeg"
    frames = moving_square(40, 240, 320)
    write_video(tmp_path / "c.mp4", frames)
    with video.open("wb") as file:
        for frame in frames:
            file.write(cv2.imencode(".jpg", frame)[1].tobytes())
    told: queue.Queue[str] = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            told.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
            f"--use-file-for-fake-video-capture={video}",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"http://127.0.0.1:{server.server_port}/",
        ]
        with (tmp_path / "chromium.log").open("w") as log:
            browser = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                said = told.get(timeout=150)
            finally:
                browser.terminate()
                browser.wait(timeout=60)
                server.shutdown()
    print(said)
    assert re.match(r"\d+ frames", said), said
