// The page: camera or file in, picture, scores and events out. Nothing is sent.
import * as ort from "./ort/ort.wasm.min.mjs";
import { edgesOf, prepare } from "./picture.js";
import { Recognizer, Thinner } from "./stream.js";

const find = (id) => document.getElementById(id);
const video = find("video"), edges = find("edges"), chart = find("chart");
const grab = document.createElement("canvas").getContext("2d", {
  willReadFrequently: true,
});
const history = [], clocks = [];
let run = 0;

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = globalThis.crossOriginIsolated
  ? Math.min(4, navigator.hardwareConcurrency)
  : 1;

function showEdges(picture) {
  [edges.width, edges.height] = [picture.width, picture.height];
  const image = new ImageData(picture.width, picture.height);
  edgesOf(picture).forEach((x, i) => image.data.set([x, x, x, 255], 4 * i));
  edges.getContext("2d").putImageData(image, 0, 0);
}

function showScores(labels, { scores, gesture }) {
  history.push(scores);
  if (history.length > 120) history.shift();
  const context = chart.getContext("2d"), { width, height } = chart;
  context.clearRect(0, 0, width, height);
  const peaks = labels.map((_, c) => Math.max(...history.map((row) => row[c])));
  const best = peaks.map((_, c) => c).sort((a, b) => peaks[b] - peaks[a]).slice(0, 4);
  best.sort((a, b) => a - b).forEach((c, row) => {
    context.strokeStyle = context.fillStyle = `hsl(${(222 * c) % 360} 60% 65%)`;
    context.beginPath();
    history.forEach((values, x) =>
      context.lineTo((x * width) / 119, (1 - values[c]) * (height - 3) + 1),
    );
    context.stroke();
    context.fillText(labels[c], 6, 14 + 14 * row);
  });
  const top = scores.indexOf(Math.max(...scores));
  find("now").textContent =
    gesture?.label ?? `${labels[top]} ${scores[top].toFixed(2)}`;
  find("now").className = gesture ? "gesture" : "";
}

function showEvents(events) {
  for (const event of events) {
    const line = document.createElement("li");
    const at = event.end ?? event.start;
    line.textContent = `${at.toFixed(2)} s  ${event.phase}  ${event.label}`;
    line.dataset.event = JSON.stringify(event);
    find("events").prepend(line);
    if (find("events").children.length > 50) find("events").lastChild.remove();
  }
}

/** Wait for the video's next frame: its time in seconds; null at the end. */
function nextFrame() {
  return new Promise((resolve) => {
    if (video.ended) resolve(null);
    video.onended = () => resolve(null);
    video.requestVideoFrameCallback((_, frame) => resolve(frame.mediaTime));
  });
}

async function watch(recognizer, mine) {
  const rate = recognizer.options.fps, thinner = new Thinner(rate);
  while (run === mine) {
    const time = await nextFrame();
    if (time === null) break;
    if (!thinner.due(time) || !recognizer.due(time)) continue;
    const start = performance.now();
    const { videoWidth: width, videoHeight: height } = video;
    [grab.canvas.width, grab.canvas.height] = [width, height];
    grab.drawImage(video, 0, 0);
    const picture = prepare(
      grab.getImageData(0, 0, width, height),
      recognizer.about.transforms,
    );
    const result = await recognizer.update(picture, time);
    if (run !== mine) return;
    clocks.push(performance.now() - start);
    if (clocks.length > 50) clocks.shift();
    const typical = [...clocks].sort((a, b) => a - b)[clocks.length >> 1];
    find("speed").textContent =
      `${recognizer.frames} frames, ${typical.toFixed(1)} ms each: ` +
      `${Math.floor(1000 / typical)} a second possible, ${rate ?? "all"} wanted`;
    showEdges(picture);
    showScores(recognizer.labels, result);
    showEvents(result.events);
  }
  if (run === mine) showEvents(recognizer.finish());
}

async function start(open) {
  const mine = ++run;
  try {
    find("message").textContent = "";
    const recognizer = await ready;
    await open();
    recognizer.reset();
    history.length = clocks.length = 0;
    await Promise.all([watch(recognizer, mine), video.play()]);
  } catch (error) {
    find("message").textContent = `${error.name}: ${error.message}`;
  }
}

async function load() {
  const about = await (await fetch("model.json")).json();
  const session = await ort.InferenceSession.create("model.onnx");
  find("message").textContent = `${about.made.config}: ready`;
  return new Recognizer(ort, session, about);
}

const ready = load();
ready.catch((error) => (find("message").textContent = `no model: ${error.message}`));
find("camera").onclick = () =>
  start(async () => {
    video.src = "";
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  });
find("file").onchange = ({ target }) =>
  start(() => {
    video.srcObject = null;
    video.src = URL.createObjectURL(target.files[0]);
  });
