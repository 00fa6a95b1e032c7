// A camera's frame as the model sees it, with OpenCV's pixels: resize, crop, edges.

const SCALE = 2048; // OpenCV's bilinear weights are fixed-point numbers of 11 bits.

/** Round as OpenCV and NumPy do: halves to the even number. */
export function rounded(x) {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 ? near - 1 : near;
}

/** Places and weights of a bilinear resize along one side. */
function taps(from, to) {
  const index = new Int32Array(to), low = new Int32Array(to), high = new Int32Array(to);
  const scale = 1 / (to / from);
  for (let i = 0; i < to; i++) {
    const place = Math.fround((i + 0.5) * scale - 0.5);
    index[i] = Math.floor(place);
    const share = Math.fround(place - index[i]);
    low[i] = rounded(Math.fround(1 - share) * SCALE);
    high[i] = rounded(share * SCALE);
  }
  return { index, low, high };
}

const inside = (x, size) => Math.min(Math.max(x, 0), size - 1);

/** Resize RGBA pixels to RGB, as cv2.resize does bilinearly. */
export function resize({ data, width, height }, toWidth, toHeight) {
  const x = taps(width, toWidth), y = taps(height, toHeight);
  const out = new Uint8Array(toWidth * toHeight * 3);
  const row = (line) => {
    const values = new Int32Array(toWidth * 3);
    for (let i = 0; i < toWidth; i++) {
      const a = 4 * (line * width + inside(x.index[i], width));
      const b = 4 * (line * width + inside(x.index[i] + 1, width));
      for (let c = 0; c < 3; c++)
        values[3 * i + c] = data[a + c] * x.low[i] + data[b + c] * x.high[i];
    }
    return values;
  };
  for (let j = 0; j < toHeight; j++) {
    const top = row(inside(y.index[j], height));
    const bottom = row(inside(y.index[j] + 1, height));
    for (let i = 0; i < toWidth * 3; i++) {
      const upper = (y.low[j] * (top[i] >> 4)) >> 16;
      const lower = (y.high[j] * (bottom[i] >> 4)) >> 16;
      out[j * toWidth * 3 + i] = (upper + lower + 2) >> 2;
    }
  }
  return { data: out, width: toWidth, height: toHeight };
}

function crop({ data, width, height }, toWidth, toHeight) {
  const top = (height - toHeight) >> 1, left = (width - toWidth) >> 1;
  if (top < 0 || left < 0) throw new Error(`cannot crop ${width}x${height} pixels`);
  const out = new Uint8Array(toWidth * toHeight * 3);
  for (let j = 0; j < toHeight; j++) {
    const from = 3 * ((top + j) * width + left);
    out.set(data.subarray(from, from + 3 * toWidth), 3 * j * toWidth);
  }
  return { data: out, width: toWidth, height: toHeight };
}

export function grey({ data, width, height }) {
  const out = new Uint8Array(width * height);
  for (let i = 0; i < out.length; i++) {
    const sum = 9798 * data[3 * i] + 19235 * data[3 * i + 1] + 3735 * data[3 * i + 2];
    out[i] = (sum + 16384) >> 15;
  }
  return out;
}

/** Otsu's threshold: the one of largest variance between the classes. */
export function otsu(pixels) {
  const counts = new Float64Array(256);
  for (const value of pixels) counts[value]++;
  let mean = 0;
  for (let i = 0; i < 256; i++) mean += (i * counts[i]) / pixels.length;
  let share = 0, below = 0, best = 0, threshold = 0;
  for (let i = 0; i < 256; i++) {
    const p = counts[i] / pixels.length;
    below *= share;
    share += p;
    const rest = 1 - share;
    if (Math.min(share, rest) < 1.1920929e-7 || Math.max(share, rest) > 1 - 1.1920929e-7)
      continue;
    below = (below + i * p) / share;
    const above = (mean - share * below) / rest;
    const variance = share * rest * (below - above) ** 2;
    if (variance > best) [best, threshold] = [variance, i];
  }
  return threshold;
}

/** Sobel gradients, 3x3, the border repeated; whole numbers stay exact. */
function sobel(pixels, width, height) {
  const dx = new Float64Array(width * height), dy = new Float64Array(width * height);
  const at = (x, y) => pixels[inside(y, height) * width + inside(x, width)];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [a, b, c] = [at(x - 1, y - 1), at(x, y - 1), at(x + 1, y - 1)];
      const [d, e] = [at(x - 1, y), at(x + 1, y)];
      const [f, g, h] = [at(x - 1, y + 1), at(x, y + 1), at(x + 1, y + 1)];
      dx[y * width + x] = c + 2 * e + h - a - 2 * d - f;
      dy[y * width + x] = f + 2 * g + h - a - 2 * b - c;
    }
  return { dx, dy };
}

/** Canny's edges (3x3 Sobel, L1 norm) of a grey picture: 0 or 255 a pixel. */
export function canny(pixels, width, height, low, high) {
  low = Math.floor(low);
  high = Math.floor(high);
  const { dx, dy } = sobel(pixels, width, height);
  const size = new Int32Array((width + 2) * (height + 2)); // zeros around
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      size[(y + 1) * (width + 2) + x + 1] = Math.abs(dx[i]) + Math.abs(dy[i]);
    }
  const out = new Uint8Array(width * height), weak = new Uint8Array(width * height);
  const found = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const i = y * width + x, k = (y + 1) * (width + 2) + x + 1, step = width + 2;
      const here = size[k];
      if (here <= low) continue;
      const across = Math.abs(dx[i]), down = Math.abs(dy[i]) * 32768;
      const gentle = across * 13573, steep = gentle + across * 65536;
      let peak;
      if (down < gentle) peak = here > size[k - 1] && here >= size[k + 1];
      else if (down > steep) peak = here > size[k - step] && here >= size[k + step];
      else {
        const side = (dx[i] ^ dy[i]) < 0 ? -1 : 1;
        peak = here > size[k - step - side] && here > size[k + step + side];
      }
      if (!peak) continue;
      if (here > high) {
        out[i] = 255;
        found.push(i);
      } else weak[i] = 1;
    }
  while (found.length) {
    const i = found.pop(), x = i % width, y = (i - x) / width;
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++)
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const j = v * width + u;
        if (!weak[j]) continue;
        weak[j] = 0;
        out[j] = 255;
        found.push(j);
      }
  }
  return out;
}

/** Size of the Sobel gradient beside four times its mean: 0 to 255 a pixel. */
export function sobelRelative(pixels, width, height) {
  const { dx, dy } = sobel(pixels, width, height);
  const size = Float32Array.from(dx, (x, i) => Math.hypot(x, dy[i]));
  const sum = size.reduce((total, x) => total + x, 0);
  const scale = sum ? (255 * size.length) / (4 * sum) : 0;
  return Uint8Array.from(size, (x) => Math.min(rounded(x * scale), 255));
}

/** The edges that a model sees in a picture; without a fourth channel, by its graph. */
export function edgesOf(picture) {
  const { data, width, height, channels } = picture;
  if (channels === 4) return data.filter((_, i) => i % 4 === 3);
  // As there, of a grey that is not rounded.
  const pixels = new Float32Array(width * height);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2];
  return sobelRelative(pixels, width, height);
}

function resized(picture, { scale, keep_ratio: keep = true, interpolation }) {
  if (interpolation && interpolation !== "bilinear")
    throw new Error(`this page resizes bilinearly only, not ${interpolation}`);
  if (!keep) return resize(picture, ...scale);
  let factor = scale;
  if (Array.isArray(scale)) {
    let [short, long] = [...scale].sort((a, b) => a - b);
    if (short === -1) [short, long] = [long, Infinity];
    const { width, height } = picture;
    factor = Math.min(long / Math.max(width, height), short / Math.min(width, height));
  }
  const side = (length) => Math.floor(length * factor + 0.5);
  return resize(picture, side(picture.width), side(picture.height));
}

/** Run a model's transforms on RGBA pixels: `{data, width, height, channels}`. */
export function prepare(frame, transforms) {
  let picture = frame, edges = null;
  for (const step of transforms) {
    const name = step.type.split(".").pop();
    if (name === "Resize" && picture === frame) picture = resized(picture, step);
    else if (name === "CenterCrop" && picture !== frame) {
      const pair = [step.crop_size].flat();
      picture = crop(picture, pair[0], pair[pair.length - 1]);
    } else if (name === "EdgeExtract") {
      const lines = grey(picture), { width, height } = picture;
      const method = step.method ?? "canny_otsu";
      if (method === "canny_otsu") {
        const high = otsu(lines);
        edges = canny(lines, width, height, (step.low_ratio ?? 0.5) * high, high);
      } else if (method === "canny")
        edges = canny(lines, width, height, step.low ?? 100, step.high ?? 200);
      else if (method === "sobel_relative") edges = sobelRelative(lines, width, height);
      else throw new Error(`this page has no edges by ${method}`);
    } else throw new Error(`this page cannot do ${JSON.stringify(step)} here`);
  }
  const { data, width, height } = picture, channels = edges ? 4 : 3;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) out[channels * i + c] = data[3 * i + c];
    if (edges) out[channels * i + 3] = edges[i];
  }
  return { data: out, width, height, channels };
}
