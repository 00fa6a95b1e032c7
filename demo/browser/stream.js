// From frames to scores and events: what lcr_runtime does, for one stream.

import { rounded } from "./picture.js";

const BACKGROUND = ["No gesture", "Doing other things"];
const ROUNDING = 1.5e-3; // of sums of intervals, which are rounded to thousandths

/** Chooses frames so that no more than `rate` a second remain: lcr_runtime/video. */
export class Thinner {
  constructor(rate) {
    this.interval = rate ? 1 / rate : 0;
    this.next = -Infinity;
  }

  due(time) {
    if (time < this.next - 1e-3 * this.interval) return false;
    this.next = Math.max(this.next + this.interval, time);
    if (this.next <= time) this.next = time + this.interval;
    return true;
  }
}

/** Time between frames in those of training, 1 if unknown: running_mean.py. */
function intervals(time, before, rate) {
  const elapsed = rounded((time - before) * (rate ?? NaN) * 1000) / 1000;
  return Number.isNaN(elapsed) ? 1 : Math.max(elapsed, 1e-3);
}

/**
 * When states start anew and which one speaks: lcr_runtime/policies.py.
 *
 * `resets(now, last)` is told when this frame and the last one came, in intervals since
 * the stream's first (-1 before it).
 */
function makePolicy(setting, clipLength, labels) {
  const options = typeof setting === "string" ? { name: setting } : setting;
  const plain = { replicas: 1, fade: 1, average: 1 - 1 / clipLength, observe() {} };
  if (options.name === "keep") return { ...plain, resets: () => [false] };
  if (options.name === "decay") {
    const fade = 0.5 ** (1 / (options.half_life ?? clipLength));
    return { ...plain, fade, average: fade, resets: () => [false] };
  }
  if (options.name === "staggered") {
    const half = (options.period ?? 2 * clipLength) / 2;
    const resets = (...times) => {
      const [now, before] = times.map((x) => Math.floor((x + ROUNDING) / half));
      return [0, 1].map(
        (i) => now > before && (now % 2 === i || now - before > 1),
      );
    };
    return { ...plain, replicas: 2, average: 1, resets };
  }
  if (options.name === "reset_on_background") {
    const index = labels.indexOf(options.label ?? "No gesture");
    const patience = options.patience ?? Math.max(1, clipLength >> 1);
    let quiet = 0;
    return {
      ...plain,
      resets: () => [quiet >= patience - ROUNDING],
      observe(scores, elapsed) {
        if (quiet >= patience - ROUNDING) quiet = 0;
        quiet = scores[index] >= (options.threshold ?? 0.5) ? quiet + elapsed : 0;
      },
    };
  }
  throw new Error(`this page has no policy ${options.name}`);
}

/** Hysteresis on the scores: lcr_runtime/events.py. */
class EventDetector {
  constructor(labels, options) {
    const defaults = { background: BACKGROUND, on: 0.6, off: 0.3, min_frames: 2 };
    Object.assign(this, defaults, { cooldown: 0.5, rest: 0 }, options);
    this.labels = labels;
    this.onset = labels.map(() => NaN);
    this.ended = labels.map(() => -Infinity);
    this.current = null;
    [this.leader, this.led, this.time] = [-1, 0, 0];
    [this.quiet, this.rested] = [0, true];
  }

  isGesture(index) {
    return !this.background.includes(this.labels[index]);
  }

  update(scores, time, elapsed) {
    this.time = time;
    scores.forEach((score, i) => {
      if (score < this.off) this.onset[i] = NaN;
      else if (Number.isNaN(this.onset[i])) this.onset[i] = time;
    });
    const seen = scores.some((score, i) => score >= this.off && this.isGesture(i));
    this.quiet = seen ? 0 : this.quiet + elapsed;
    this.rested ||= this.quiet >= this.rest - ROUNDING;
    const candidate = this.candidate(scores, time, elapsed), events = [];
    if (this.current) {
      const score = scores[this.current.index];
      if (score > this.current.confidence)
        this.current = { ...this.current, peak: time, confidence: score };
      const replaced = candidate !== null && candidate !== this.current.index;
      if (score < this.off || replaced) events.push(...this.finish());
    }
    if (!this.current && candidate !== null) {
      this.current = {
        phase: "start", label: this.labels[candidate], index: candidate,
        start: this.onset[candidate], peak: time, end: null,
        confidence: scores[candidate], detected: time, stream: 0,
      };
      events.push(this.current);
      this.rested = false;
    }
    return events;
  }

  finish() {
    if (!this.current) return [];
    const ended = { ...this.current, phase: "end", end: this.time };
    this.ended[ended.index] = this.time;
    this.current = null;
    return [ended];
  }

  candidate(scores, time, elapsed) {
    const leader = scores.indexOf(Math.max(...scores));
    if (!this.isGesture(leader) || scores[leader] < this.on) {
      [this.leader, this.led] = [-1, 0];
      return null;
    }
    this.led = leader === this.leader ? this.led + elapsed : elapsed;
    this.leader = leader;
    const cooled = time - this.ended[leader] >= this.cooldown;
    const long = this.led >= this.min_frames - ROUNDING;
    return long && cooled && this.rested ? leader : null;
  }
}

function softmax(logits) {
  const top = Math.max(...logits), powers = logits.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((x) => x / sum);
}

/** A model's step with its states: `update(picture, seconds)` for every frame. */
export class Recognizer {
  /**
   * @param ort onnxruntime-web.
   * @param session Of the exported step.
   * @param about What the exported file says of itself, see assemble.py.
   */
  constructor(ort, session, about) {
    Object.assign(this, { ort, session, about });
    this.options = about.stream;
    this.labels = this.options.labels;
    this.reset();
  }

  reset() {
    const { policy, clip_len: length, consensus, events } = this.options;
    this.policy = makePolicy(policy, length, this.labels);
    this.factor = consensus === "mean" ? this.policy.average : 0;
    this.detector = new EventDetector(this.labels, events);
    this.states = Array.from({ length: this.policy.replicas }, () => this.blank());
    this.past = null;
    this.frames = 0;
    this.time = NaN; // of the last frame that was read, seconds
    this.given = NaN; // of the last one that due() was asked about
    this.clock = -1; // the same in intervals since the first
  }

  blank() {
    const state = {};
    for (const [name, shape] of Object.entries(this.about.state)) {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      state[name] = new this.ort.Tensor("float32", values, shape);
    }
    return { state, age: 0, sum: this.labels.map(() => 0), weight: 0 };
  }

  /** Whether a frame of this time is to be read: lcr_runtime/readout.py. */
  due(time) {
    const since = time - this.time, gap = time - this.given;
    this.given = time;
    const { fps, thin } = this.options;
    if (!fps || !thin || Number.isNaN(gap) || gap <= 0 || since <= 0) return true;
    return fps * (since + gap / 2) >= 1 - ROUNDING;
  }

  faded(state, elapsed) {
    const after = { ...state }, fade = Math.fround(this.policy.fade ** elapsed);
    for (const name of this.about.recurrent) {
      const values = state[name].data.map((x) => x * fade);
      after[name] = new this.ort.Tensor("float32", values, state[name].dims);
    }
    return after;
  }

  /** Read a picture that was taken at a time, in seconds. */
  async update({ data, width, height, channels }, time) {
    const elapsed = intervals(time, this.time, this.options.fps);
    const [last, now] = [this.clock, this.clock + elapsed];
    [this.time, this.clock] = [time, now];
    this.frames++;
    const frame = new this.ort.Tensor("uint8", data, [1, height, width, channels]);
    const anew = this.policy.resets(now, last);
    for (const [i, one] of this.states.entries()) {
      if (anew[i]) Object.assign(one, this.blank());
      await this.step(one, frame, elapsed);
    }
    const speaker = this.states.reduce((a, b) => (b.age > a.age ? b : a));
    const answer = softmax(speaker.sum.map((x) => x / speaker.weight));
    this.policy.observe(answer, elapsed);
    const share = this.past ? this.options.smoothing ** elapsed : 0;
    this.past = answer.map((x, i) => share * (this.past?.[i] ?? 0) + (1 - share) * x);
    const events = this.detector.update(this.past, time, elapsed);
    return { scores: this.past, events, gesture: this.detector.current };
  }

  /** Let one state read a frame; one that starts anew has seen no last frame. */
  async step(one, frame, elapsed) {
    const fades = this.policy.fade !== 1 && one.age > 0;
    const before = fades ? this.faded(one.state, elapsed) : one.state;
    const inputs = { frame, ...before };
    // Files of earlier versions know no time.
    if (this.session.inputNames.includes("elapsed")) {
      const values = new Float32Array([one.age ? elapsed : 1]);
      inputs.elapsed = new this.ort.Tensor("float32", values, [1]);
    }
    const after = await this.session.run(inputs);
    for (const name of Object.keys(one.state)) one.state[name] = after[`next.${name}`];
    one.age++;
    const keep = this.factor ** elapsed, logits = Array.from(after.logits.data);
    one.sum = one.sum.map((x, i) => keep * x + elapsed * logits[i]);
    one.weight = keep * one.weight + elapsed;
  }

  finish() {
    return this.detector.finish();
  }
}
