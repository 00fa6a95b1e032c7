// From frames to scores and events: what lcr_runtime does, for one stream.

const BACKGROUND = ["No gesture", "Doing other things"];

/** When states start anew and which one speaks: lcr_runtime/policies.py. */
function makePolicy(setting, clipLength, labels) {
  const options = typeof setting === "string" ? { name: setting } : setting;
  const plain = { replicas: 1, fade: 1, average: 1 - 1 / clipLength, observe() {} };
  if (options.name === "keep") return { ...plain, resets: () => [false] };
  if (options.name === "decay") {
    const fade = 0.5 ** (1 / (options.half_life ?? clipLength));
    return { ...plain, fade, average: fade, resets: () => [false] };
  }
  if (options.name === "staggered") {
    const period = options.period ?? 2 * clipLength;
    const resets = (frame) => [frame % period === 0, frame % period === period / 2];
    return { ...plain, replicas: 2, average: 1, resets };
  }
  if (options.name === "reset_on_background") {
    const index = labels.indexOf(options.label ?? "No gesture");
    const patience = options.patience ?? Math.max(1, clipLength >> 1);
    let quiet = 0;
    return {
      ...plain,
      resets: () => [quiet >= patience],
      observe(scores) {
        if (quiet >= patience) quiet = 0;
        quiet = scores[index] >= (options.threshold ?? 0.5) ? quiet + 1 : 0;
      },
    };
  }
  throw new Error(`this page has no policy ${options.name}`);
}

/** Hysteresis on the scores: lcr_runtime/events.py. */
class EventDetector {
  constructor(labels, options) {
    const defaults = { background: BACKGROUND, on: 0.6, off: 0.3, min_frames: 2 };
    Object.assign(this, defaults, { cooldown: 0.5 }, options);
    this.labels = labels;
    this.onset = labels.map(() => NaN);
    this.ended = labels.map(() => -Infinity);
    this.current = null;
    [this.leader, this.led, this.time] = [-1, 0, 0];
  }

  update(scores, time) {
    this.time = time;
    scores.forEach((score, i) => {
      if (score < this.off) this.onset[i] = NaN;
      else if (Number.isNaN(this.onset[i])) this.onset[i] = time;
    });
    const candidate = this.candidate(scores, time), events = [];
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

  candidate(scores, time) {
    const leader = scores.indexOf(Math.max(...scores));
    if (this.background.includes(this.labels[leader]) || scores[leader] < this.on) {
      [this.leader, this.led] = [-1, 0];
      return null;
    }
    this.led = leader === this.leader ? this.led + 1 : 1;
    this.leader = leader;
    const rested = time - this.ended[leader] >= this.cooldown;
    return this.led >= this.min_frames && rested ? leader : null;
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
  }

  blank() {
    const state = {};
    for (const [name, shape] of Object.entries(this.about.state)) {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      state[name] = new this.ort.Tensor("float32", values, shape);
    }
    return { state, age: 0, sum: this.labels.map(() => 0), weight: 0 };
  }

  faded(state) {
    const after = { ...state };
    for (const name of this.about.recurrent) {
      const values = state[name].data.map((x) => x * this.policy.fade);
      after[name] = new this.ort.Tensor("float32", values, state[name].dims);
    }
    return after;
  }

  async update({ data, width, height, channels }, time) {
    const shape = [1, height, width, channels];
    const frame = new this.ort.Tensor("uint8", data, shape);
    this.policy.resets(this.frames).forEach((anew, i) => {
      if (anew) this.states[i] = this.blank();
    });
    this.frames++;
    for (const one of this.states) {
      const fades = this.policy.fade !== 1 && one.age > 0;
      const before = fades ? this.faded(one.state) : one.state;
      // As if an interval of training lay between all frames: pages thin out to its rate.
      const times = this.session.inputNames.includes("elapsed")
        ? { elapsed: new this.ort.Tensor("float32", [1], [1]) } : {};
      const after = await this.session.run({ frame, ...times, ...before });
      for (const name of Object.keys(one.state)) before[name] = after[`next.${name}`];
      one.state = before;
      one.age++;
      const logits = Array.from(after.logits.data);
      one.sum = one.sum.map((x, i) => this.factor * x + logits[i]);
      one.weight = this.factor * one.weight + 1;
    }
    const speaker = this.states.reduce((a, b) => (b.age > a.age ? b : a));
    const answer = softmax(speaker.sum.map((x) => x / speaker.weight));
    this.policy.observe(answer);
    const share = this.past ? this.options.smoothing : 0;
    this.past = answer.map((x, i) => share * (this.past?.[i] ?? 0) + (1 - share) * x);
    const events = this.detector.update(this.past, time);
    return { scores: this.past, events, gesture: this.detector.current };
  }

  finish() {
    return this.detector.finish();
  }
}
