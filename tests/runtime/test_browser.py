"""The browser page's scripts against the runtime, and the page in a browser."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import av
import cv2
import numpy as np
import pytest
from renderer.timeline import StreamSettings, render_streams

from lcr_runtime import StreamOptions, StreamRecognizer, load_recognizer
from lcr_runtime.engines import ExportedEngine
from lcr_runtime.preprocess import PlainPreprocessor
from lcr_runtime.result import StreamResult
from lcr_runtime.shipped import shipped_file
from lcr_runtime.sources import VideoSource
from lcr_runtime.video import Thinner

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "demo" / "browser"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ORT_WEB = "onnxruntime-web@1.30.0"


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
        ((720, 1280), [dict(type="Resize", scale=(224, 224), keep_ratio=False)]),
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
    noise = np.random.default_rng(0).integers(0, 256, (36, 48, 3), np.uint8)
    frame = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA).tofile(tmp_path / "frame")
    methods = [[dict(type="EdgeExtract")], []]
    methods.insert(1, [dict(type="EdgeExtract", method="sobel_relative")])
    out = in_node(
        f"""
        import {{ readFileSync }} from "node:fs";
        import {{ edgesOf, prepare }} from "{(PAGE / "picture.js").as_uri()}";
        const data = new Uint8Array(readFileSync("{tmp_path / "frame"}"));
        const frame = {{ data, width: {size[1]}, height: {size[0]} }};
        for (const method of {json.dumps(methods)}) {{
          const picture = prepare(frame, [...{json.dumps(steps)}, ...method]);
          console.log(picture.data.join(" "));
          console.log(edgesOf(picture).join(" "));
        }}
        """,
        tmp_path,
    )
    lines = iter([np.array(line.split(), np.uint8) for line in out.splitlines()])
    for method in methods:
        expected = PlainPreprocessor([*steps, *method])(frame)
        found = next(lines).reshape(expected.shape)
        np.testing.assert_array_equal(found[..., :3], expected[..., :3])
        edges = next(lines).reshape(expected.shape[:2])
        wanted = shown(expected).edges
        if method == [dict(type="EdgeExtract")]:
            np.testing.assert_array_equal(edges, wanted)
        # A mean in another order rounds otherwise.
        assert cv2.absdiff(edges, wanted).max() <= 1 and edges.max() > 150


def shown(picture: np.ndarray) -> StreamResult:
    """A result of which only the picture counts."""
    fields = dict.fromkeys(x.name for x in dataclasses.fields(StreamResult))
    return StreamResult(**fields | {"picture": picture})


def late(times: np.ndarray) -> np.ndarray:
    """Times of a camera that skips and hurries, and whose clock once goes back."""
    times = times + np.random.default_rng(2).uniform(0, 0.09, len(times))
    times[50:] += 1.7
    times[80:] -= 0.3
    times[20:24] = times[20]
    return times


class Echo(ExportedEngine):
    """Says what a row of numbers and its memory say: the frame names the row."""

    name = "echo"

    def __init__(self, options: StreamOptions, rows: np.ndarray) -> None:
        self.rows, self.path = rows, Path("echo")
        about = dict(transforms=[], recurrent=["memory"], made={})
        about["stream"] = options.as_dict()
        inputs = [("frame", (1, 1, 1, 3)), ("elapsed", (1,)), ("memory", (1, 1))]
        self.describe({k: json.dumps(v) for k, v in about.items()}, inputs)

    def infer(self, inputs, state):
        memory = state[0] + inputs[1]
        return self.rows[inputs[0][0, 0, 0, 0]] * memory / (1 + memory), [memory]


ECHO = """
const run = async ({ frame, elapsed, memory }) => {
  const after = Math.fround(memory.data[0] + elapsed.data[0]);
  const data = rows[frame.data[0]].map((x) => (x * after) / (1 + after));
  return { logits: { data }, "next.memory": new Tensor("", [after], [1, 1]) };
};
class Tensor {
  constructor(kind, data, dims) { Object.assign(this, { data, dims }); }
}
const session = { inputNames: ["frame", "elapsed", "memory"], run };
"""


@needs_node
@pytest.mark.parametrize(
    "policy",
    [
        "keep",
        dict(name="decay", half_life=3),
        "staggered",
        dict(name="reset_on_background", patience=3),
    ],
)
def test_scores_and_events_are_the_runtimes(tmp_path, policy):
    rows = np.random.default_rng(1).normal(size=(12, 3)).repeat(10, axis=0) * 8
    even = np.arange(len(rows)) / 10
    cases, expected = [], []
    rows[40:60] = 0, 0, 9  # nothing to be seen, while the late times skip
    for consensus, times, fps, rest in itertools.product(
        ("mean", "last"), (even, late(even)), (10, None), (0, 45)
    ):
        options = StreamOptions(
            ["Left", "Right", "No gesture"],
            clip_len=8,
            consensus=consensus,
            fps=fps,
            policy=policy,
            smoothing=0.4,
            events=dict(min_frames=3, rest=rest),
        )
        engine = Echo(options, rows)
        recognizer = StreamRecognizer(engine, options)
        scores, events = [], []
        for i, time in enumerate(times.tolist()):
            result = recognizer.update(np.full((1, 1, 3), i, np.uint8), time)
            scores.append(result.scores)
            events += result.events
        expected.append((scores, events + recognizer.finish()[0]))
        about = {"stream": options.as_dict(), "recurrent": engine.recurrent}
        about["state"] = engine.state_shapes
        cases.append([about, times.tolist()])
    out = in_node(
        f"""
        import {{ Recognizer }} from "{(PAGE / "stream.js").as_uri()}";
        const rows = {json.dumps(rows.tolist())}, results = [];
        {ECHO}
        for (const [about, times] of {json.dumps(cases)}) {{
          const scores = [], events = [];
          const recognizer = new Recognizer({{ Tensor }}, session, about);
          for (const [i, time] of times.entries()) {{
            const frame = {{ data: [i, i, i], width: 1, height: 1, channels: 3 }};
            const result = await recognizer.update(frame, time);
            scores.push(result.scores);
            events.push(...result.events);
          }}
          results.push([scores, [...events, ...recognizer.finish()]]);
        }}
        console.log(JSON.stringify(results));
        """,
        tmp_path,
    )
    for (scores, events), found in zip(expected, json.loads(out), strict=True):
        np.testing.assert_allclose(found[0], scores, atol=1e-6)
        assert len(events) > 1
        for left, right in zip(found[1], events, strict=True):
            assert left == pytest.approx(right.as_dict())


@needs_node
def test_frames_are_thinned_out_as_in_python(tmp_path):
    times, rates = late(np.arange(120) / 12).tolist(), [4, 10, 12, None]
    out = in_node(
        f"""
        import {{ Thinner }} from "{(PAGE / "stream.js").as_uri()}";
        const thinned = (rate) => {{
          const thinner = new Thinner(rate);
          return {times}.map((time) => thinner.due(time));
        }};
        console.log(JSON.stringify({json.dumps(rates)}.map(thinned)));
        """,
        tmp_path,
    )
    for rate, due in zip(rates, json.loads(out), strict=True):
        thinner = Thinner(rate)
        assert due == [bool(thinner.due(time)) for time in times]


@pytest.fixture(scope="session")
def modules(request) -> Path:
    """Where onnxruntime-web is; npm brings it where it is not at hand."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    if "LCR_NODE_MODULES" in os.environ:
        return Path(os.environ["LCR_NODE_MODULES"])
    folder = request.config.cache.mkdir("npm")
    if not (folder / "node_modules/onnxruntime-web/dist/ort.wasm.min.mjs").is_file():
        if shutil.which("npm") is None:
            pytest.skip("needs npm, or LCR_NODE_MODULES: where onnxruntime-web is")
        command = ["npm", "install", "--prefix", folder, ORT_WEB]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm install {ORT_WEB}: {done.stderr.strip()[:300]}")
    return folder / "node_modules"


# What a visitor does with a finger: a file, then the camera. Every frame that the page
# reads is told, with its time and what the page says of it.
VISITOR = """
const told = [], tell = (path, body) => fetch(path, { method: "POST", body });
const ask = grab.getImageData.bind(grab), read = Recognizer.prototype.update;
let pixels;
grab.getImageData = (...area) => (pixels = ask(...area));
Recognizer.prototype.update = async function (picture, time) {
  const { data, width, height } = pixels;
  const { scores, events } = await read.call(this, picture, time);
  const about = JSON.stringify({ width, height, time, scores, events });
  await tell("/frame?" + encodeURIComponent(about), data);
  return { scores, events, gesture: this.detector.current };
};
const close = Recognizer.prototype.finish;
Recognizer.prototype.finish = function () {
  const events = close.call(this), speed = find("speed").textContent;
  const map = edges.getContext("2d").getImageData(0, 0, edges.width, edges.height);
  const about = JSON.stringify({ events, speed });
  tell("/end?" + encodeURIComponent(about), map.data);
  setTimeout(() => find("camera").click());
  return events;
};
new MutationObserver(() => {
  const said = find("message").textContent;
  if (said && !said.endsWith("ready")) tell("/error?" + encodeURIComponent(said));
}).observe(find("message"), { childList: true });
const files = new DataTransfer();
files.items.add(new File([await (await fetch("v.webm")).blob()], "v.webm"));
find("file").files = files.files;
find("file").dispatchEvent(new Event("change"));
"""


def visit(site: Path, *options: str) -> Iterator[tuple[str, dict, bytes]]:
    """Serve the page and open it: what it tells, kind, values and pixels."""
    told: queue.Queue[tuple[str, dict, bytes]] = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kind, about = self.path[1:].split("?")
            told.put((kind, json.loads(unquote(about)), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={site / 'profile'}", *options]
        command += [f"http://127.0.0.1:{server.server_port}/"]
        with (site / "chromium.log").open("w") as log:
            browser = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                while True:
                    yield told.get(timeout=60)
            finally:
                browser.terminate()
                browser.wait(timeout=60)
                server.shutdown()


def write_webm(path: Path, frames: Sequence[np.ndarray], times: Sequence[float]):
    """BGR frames at times of their own, in thousandths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=30, time_base=Fraction(1, 1000))
        stream.height, stream.width = frames[0].shape[:2]
        stream.bit_rate, stream.pix_fmt = 2_000_000, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.slow
def test_the_page_says_what_python_says(tmp_path, modules):
    site = tmp_path / "site"
    assemble = [sys.executable, PAGE / "assemble.py", site, "--modules", modules]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(assemble, env=env, check=True, capture_output=True)
    script = site / "page.js"
    script.write_text(script.read_text("utf-8") + VISITOR, encoding="utf-8")
    # Somebody who gestures, 12 frames a second; of these some are lost in the file.
    settings = StreamSettings(seed=5, gestures=1, mean_gap=12)
    ((video, _),) = render_streams(tmp_path / "gestures", 1, settings)
    frames = [cv2.resize(frame.image, (320, 240)) for frame in VideoSource(video)]
    kept = np.flatnonzero(np.random.default_rng(3).random(len(frames)) < 0.6)
    write_webm(site / "v.webm", [frames[i] for i in kept], kept / 12)
    camera = tmp_path / "camera.mjpeg"
    camera.write_bytes(b"".join(cv2.imencode(".jpg", x)[1].tobytes() for x in frames))
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    fake += [f"--use-file-for-fake-video-capture={camera}"]

    # Which frames to read is the page's choice here, and they are all it tells.
    recognizer = load_recognizer(shipped_file(), "onnxruntime", threads=1, thin=False)
    runs = [([], [], [])]  # of file and camera: times; events there, and here
    drawn = np.empty(0)
    for kind, about, pixels in visit(site, *fake):
        assert kind != "error", about
        times, found, expected = runs[-1]
        found += about["events"]
        if kind == "end":
            print(about["speed"])
            edges = np.frombuffer(pixels, np.uint8)[::4].reshape(drawn.shape)
            assert cv2.absdiff(edges, drawn).max() <= 1 and edges.max() == 255
            expected += recognizer.finish()[0]
            recognizer.reset()
            runs.append(([], [], []))
            continue
        size = about["height"], about["width"]
        assert size == (240, 320)
        image = np.frombuffer(pixels, np.uint8).reshape(*size, 4)
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGR)
        result = recognizer.update(image, about["time"])
        assert result.read
        np.testing.assert_allclose(about["scores"], result.scores, atol=1e-4)
        expected += result.events
        drawn = result.edges
        times.append(about["time"])
        if len(runs) == 2 and len(times) == 8:
            break
    for times, found, expected in runs:
        assert (np.diff(times) > 0).all()
        for left, right in zip(found, expected, strict=True):
            assert left == pytest.approx(right.as_dict(), abs=1e-4)
    # The file's times are the container's, not those at which the page got round to it.
    times, found, _ = runs[0]
    print(f"{len(times)} frames at {np.round(times, 3)}, {len(found)} events")
    assert found and np.ptp(np.diff(times)) > 0.1
    assert np.abs(np.subtract.outer(times, kept / 12)).min(axis=1).max() < 2e-3
