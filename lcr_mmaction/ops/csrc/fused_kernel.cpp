// Elementwise chains of an LCR block in one pass each, with their gradients. Every sum is
// taken in one order, so that no result depends on the number of threads.
//
// LCR_ISA names the instruction set this file is being compiled for.
#include "fused_kernel.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu_lanes.h"

namespace lcr {
namespace {

template <class T>
void leaky_cell(const LeakyCell<T>& p, int64_t task) {
  const int64_t clip = task / p.blocks(), first = task % p.blocks() * p.kTokens;
  const int64_t last = std::min(p.tokens, first + p.kTokens), c = p.channels;
  for (int64_t t = 0; t < p.frames; ++t)
    for (int64_t token = first; token < last; ++token) {
      const int64_t at = ((clip * p.frames + t) * p.tokens + token) * c;
      const float* before = p.memory_before(clip, t, token);
      by_lanes(c, [&](int64_t j, int64_t n) {
        const Lanes a = load(p.gated + at + j, n), e = load(p.edges + at + j, n);
        const Lanes f = sigmoid(load(p.bias + j, n) + e * load(p.scale + j, n));
        const Lanes now = (1.0f - f) * a + f * load(before + j, n);
        store(now, p.memory + at + j, n);
        store(now * sigmoid(a), p.hidden + at + j, n);
      });
    }
}

template <class T>
void leaky_cell_backward(const LeakyCell<T>& p, int64_t task) {
  const int64_t clip = task / p.blocks(), first = task % p.blocks() * p.kTokens;
  const int64_t last = std::min(p.tokens, first + p.kTokens), c = p.channels;
  float* dscale = p.shares + 2 * task * c;
  float* dbias = dscale + c;
  std::fill(dscale, dscale + 2 * c, 0.0f);
  for (int64_t token = first; token < last; ++token) {
    // What later frames give to C_t, on its way to the first.
    float* carry = p.dbefore + (clip * p.tokens + token) * c;
    std::fill(carry, carry + c, 0.0f);
    for (int64_t t = p.frames - 1; t >= 0; --t) {
      const int64_t at = ((clip * p.frames + t) * p.tokens + token) * c;
      const float* before = p.memory_before(clip, t, token);
      by_lanes(c, [&](int64_t j, int64_t n) {
        const Lanes a = load(p.gated + at + j, n), e = load(p.edges + at + j, n);
        const Lanes scale = load(p.scale + j, n);
        const Lanes f = sigmoid(load(p.bias + j, n) + e * scale), s = sigmoid(a);
        const Lanes g = p.dhidden ? load(p.dhidden + at + j, n) : Lanes{};
        Lanes dc = load(carry + j, n) + g * s;
        if (p.dmemory) dc += load(p.dmemory + at + j, n);
        const Lanes through = g * load(p.memory + at + j, n) * s * (1.0f - s);
        store(through + dc * (1.0f - f), p.dgated + at + j, n);
        const Lanes dz = dc * (load(before + j, n) - a) * f * (1.0f - f);
        store(dz * scale, p.dedges + at + j, n);
        store(load(dscale + j, n) + dz * e, dscale + j, n);
        store(load(dbias + j, n) + dz, dbias + j, n);
        store(dc * f, carry + j, n);
      });
    }
  }
}

struct Moments {
  float mean, rstd;
};
template <class T>
inline Moments moments(const T* x, int64_t size, float eps) {
  Lanes sum{}, squares{};
  by_lanes(size, [&](int64_t j, int64_t n) { sum += load(x + j, n); });
  const float mean = sum_of(sum) / size;
  by_lanes(size, [&](int64_t j, int64_t n) {
    const Lanes off = first(load(x + j, n) - mean, n);
    squares += off * off;
  });
  return {mean, 1.0f / std::sqrt(sum_of(squares) / size + eps)};
}

template <class T>
void gated_norm(const GatedNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows);
  for (int64_t row = task * p.kRows; row < end; ++row)
    for (int64_t head = 0; head < p.heads; ++head) {
      const int64_t at = head * p.size;
      const T *x = p.x + row * p.x_row + at, *gate = p.gate + row * p.gate_row + at;
      const float *weight = p.weight + at, *bias = p.bias + at;
      T* y = p.y + row * p.heads * p.size + at;
      const Moments m = moments(x, p.size, p.eps);
      by_lanes(p.size, [&](int64_t j, int64_t n) {
        const Lanes normed = (load(x + j, n) - m.mean) * m.rstd, g = load(gate + j, n);
        const Lanes scaled = normed * load(weight + j, n) + load(bias + j, n);
        store(scaled * (g * sigmoid(g)), y + j, n);
      });
    }
}

template <class T>
void gated_norm_backward(const GatedNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), channels = p.heads * p.size;
  float* shares = p.shares + 2 * task * channels;
  std::fill(shares, shares + 2 * channels, 0.0f);
  std::vector<float> room(p.size);
  float* dnormed = room.data();
  for (int64_t row = task * p.kRows; row < end; ++row)
    for (int64_t head = 0; head < p.heads; ++head) {
      const int64_t at = head * p.size, out = row * channels + at;
      const T *x = p.x + row * p.x_row + at, *gate = p.gate + row * p.gate_row + at;
      const T* dy = p.dy + out;
      const float *weight = p.weight + at, *bias = p.bias + at;
      T *dx = p.dx + out, *dgate = p.dgate + out;
      float *dweight = shares + at, *dbias = shares + channels + at;
      const Moments m = moments(x, p.size, p.eps);
      Lanes sum{}, along{};
      by_lanes(p.size, [&](int64_t j, int64_t n) {
        const Lanes normed = (load(x + j, n) - m.mean) * m.rstd, g = load(gate + j, n);
        const Lanes s = sigmoid(g), silu = g * s, dout = load(dy + j, n);
        const Lanes dscaled = dout * silu, w = load(weight + j, n);
        const Lanes scaled = normed * w + load(bias + j, n);
        store(dout * scaled * (s + silu * (1.0f - s)), dgate + j, n);
        store(load(dweight + j, n) + dscaled * normed, dweight + j, n);
        store(load(dbias + j, n) + dscaled, dbias + j, n);
        const Lanes dn = dscaled * w;
        store(dn, dnormed + j, n);
        sum += first(dn, n);
        along += first(dn * normed, n);
      });
      const float mean = sum_of(sum) / p.size, share = sum_of(along) / p.size;
      by_lanes(p.size, [&](int64_t j, int64_t n) {
        const Lanes normed = (load(x + j, n) - m.mean) * m.rstd;
        store(m.rstd * (load(dnormed + j, n) - mean - normed * share), dx + j, n);
      });
    }
}

template <class T>
void rotate(const Rotate<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), half = p.size / 2;
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const int64_t angle = (row / p.clip_rows * p.tokens + row % p.tokens) * half;
    const float *cos = p.cos + angle, *sin = p.sin + angle;
    for (int64_t head = 0; head < p.heads; ++head) {
      const T* x = p.x + row * p.x_row + head * p.size;
      T* y = p.y + (row * p.heads + head) * p.size;
      by_lanes(half, [&](int64_t j, int64_t n) {
        const Lanes c = load(cos + j, n), turn = p.sign * load(sin + j, n);
        const Lanes first = load(x + j, n), second = load(x + j + half, n);
        store(first * c - second * turn, y + j, n);
        store(first * turn + second * c, y + j + half, n);
      });
    }
  }
}

// Calls f(channel, count) for `channels`, a register's worth at a time. Where they are no
// multiple of that the last call repeats some of the one before.
template <class F>
inline void lanes_up_to(int64_t channels, F f) {
  int64_t j = 0;
  for (; j + kLanes <= channels; j += kLanes) f(j, kLanes);
  if (j == channels) return;
  if (channels > kLanes)
    f(channels - kLanes, kLanes);
  else
    f(j, channels - j);
}

template <class T>
void difference(const Difference<T>& p, int64_t task) {
  const int64_t first = task * p.kPixels, end = std::min(p.rows(), first + p.kPixels);
  const int64_t c = p.channels;
  for (int64_t row = first; row < end; ++row) {
    const int64_t frame = row / p.pixels, pixel = row % p.pixels;
    const T* now = p.both + 2 * row * c;
    const T* last = frame % p.frames
                        ? now - (2 * p.pixels - 1) * c
                        : p.before + (frame / p.frames * p.pixels + pixel) * c;
    T* y = p.y + row * c;
    lanes_up_to(c, [&](int64_t j, int64_t count) {
      Lanes x = load(now + j, count) - load(last + j, count);
      if (p.scale) {
        x = x * load(p.scale + j, count) + load(p.shift + j, count);
        if (p.relu) x = rectify(x);
      }
      store(x, y + j, count);
    });
  }
  if (!p.shares) return;
  float* shares = p.shares + 2 * task * c;
  lanes_up_to(c, [&](int64_t j, int64_t count) {
    Lanes sum{}, squares{};
    for (int64_t row = first; row < end; ++row) sum += load(p.y + row * c + j, count);
    const Lanes mean = sum / float(end - first);
    for (int64_t row = first; row < end; ++row) {
      const Lanes off = load(p.y + row * c + j, count) - mean;
      squares += off * off;
    }
    store(mean, shares + j, count);
    store(squares, shares + c + j, count);
  });
}

template <class T>
void normalise(const Normalise<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kPixels), c = p.channels;
  for (int64_t row = task * p.kPixels; row < end; ++row)
    lanes_up_to(c, [&](int64_t j, int64_t count) {
      const Lanes scale = load(p.scale + j, count), shift = load(p.shift + j, count);
      const Lanes y = load(p.x + row * c + j, count) * scale + shift;
      store(p.relu ? rectify(y) : y, p.y + row * c + j, count);
    });
}

template <class T>
void normalise_backward(const Normalise<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kPixels), c = p.channels;
  float* shares = p.shares + 2 * task * c;
  lanes_up_to(c, [&](int64_t j, int64_t count) {
    const Lanes scale = load(p.scale + j, count), shift = load(p.shift + j, count);
    const Lanes mean = load(p.mean + j, count);
    Lanes along{}, sum{};
    for (int64_t row = task * p.kPixels; row < end; ++row) {
      const Lanes x = load(p.x + row * c + j, count);
      Lanes dz = load(p.dy + row * c + j, count);
      if (p.relu) dz = rectify(dz, x * scale + shift);
      along += dz * (x - mean);
      sum += dz;
    }
    store(along, shares + j, count);
    store(sum, shares + c + j, count);
  });
}

template <class T>
void difference_backward(const DifferenceBackward<T>& p, int64_t task) {
  const int64_t clip = task / p.blocks(), first = task % p.blocks() * p.kPixels;
  const int64_t last = std::min(p.pixels, first + p.kPixels), c = p.channels;
  for (int64_t t = 0; t < p.frames; ++t)
    for (int64_t pixel = first; pixel < last; ++pixel) {
      const int64_t row = (clip * p.frames + t) * p.pixels + pixel;
      T* dnow = p.dboth + 2 * row * c;
      T* dlast = t ? dnow - (2 * p.pixels - 1) * c
                   : p.dbefore + (clip * p.pixels + pixel) * c;
      lanes_up_to(c, [&](int64_t j, int64_t count) {
        const Lanes scale = load(p.scale + j, count), shift = load(p.shift + j, count);
        const Lanes x = load(p.x + row * c + j, count);
        Lanes dz = load(p.dy + row * c + j, count);
        if (p.relu) dz = rectify(dz, x * scale + shift);
        const Lanes through = load(p.along + j, count) * (x - load(p.mean + j, count));
        const Lanes dx = scale * dz - through - load(p.offset + j, count);
        store(dx, dnow + j, count);
        store(-dx, dlast + j, count);
      });
      if (t == p.frames - 1) std::fill(dnow + c, dnow + 2 * c, T{});
    }
}

// Some channels of a frame, widened, with a border of zeros around: a frame is read once, not
// once a tap, and its tokens lie together.
class Padded {
 public:
  Padded(int64_t height, int64_t width)
      : height_(height), width_(width), lanes_((height + 2) * (width + 2)) {}

  template <class T>
  void read(const T* x, int64_t channels, int64_t count) {
    for (int64_t row = 0, token = 0; row < height_; ++row)
      for (int64_t column = 0; column < width_; ++column, ++token)
        lanes_[corner(row, column) + width_ + 3] = load(x + token * channels, count);
  }
  // Where the window around a token begins, and how far from there a tap lies.
  int64_t corner(int64_t row, int64_t column) const { return row * (width_ + 2) + column; }
  int64_t offset(int tap) const { return tap / 3 * (width_ + 2) + tap % 3; }
  const Lanes* at(int64_t place) const { return lanes_.data() + place; }

 private:
  int64_t height_, width_;
  std::vector<Lanes> lanes_;
};

struct Taps {
  Lanes of[9];

  Taps(const float* taps, int64_t channels, int64_t count) {
    for (int tap = 0; tap < 9; ++tap) of[tap] = load(taps + tap * channels, count);
  }
};

// y = second * b + first * a, or added + first * a. The second product comes first, as where it
// was kept and is added: a clip gives the bits of its frames. `back` mirrors the windows.
template <bool back, bool both, class T>
inline void convolve(const CausalShift<T>& p, const Padded& a, const Padded& b, const T* added,
                     const Taps& first, const Taps& second, T* y, int64_t count) {
  for (int64_t row = 0, token = 0; row < p.height; ++row)
    for (int64_t column = 0; column < p.width; ++column, ++token) {
      const Lanes *window = a.at(a.corner(row, column)), *other = b.at(b.corner(row, column));
      Lanes sum = added ? load(added + token * p.channels, count) : Lanes{};
      if (both) {
#pragma GCC unroll 9
        for (int tap = 0; tap < 9; ++tap)
          sum += second.of[back ? 8 - tap : tap] * other[b.offset(tap)];
      }
#pragma GCC unroll 9
      for (int tap = 0; tap < 9; ++tap)
        sum += first.of[back ? 8 - tap : tap] * window[a.offset(tap)];
      store(sum, y + token * p.channels, count);
    }
}

// Calls f(channel, count) for a task's channels, a register's worth at a time.
template <class T, class F>
inline void lanes_of(const CausalShift<T>& p, int64_t task, F f) {
  const int64_t start = task % p.blocks() * p.kChannels;
  by_lanes(std::min(p.channels - start, p.kChannels),
           [&](int64_t j, int64_t count) { f(start + j, count); });
}

template <class T>
void causal_shift(const CausalShift<T>& p, int64_t task) {
  const int64_t frame = task / p.blocks(), clip = frame / p.frames, t = frame % p.frames;
  const int64_t c = p.channels, size = p.height * p.width * c;
  const T* none = nullptr;
  Padded now(p.height, p.width), last(p.height, p.width);
  lanes_of(p, task, [&](int64_t j, int64_t count) {
    const T* x = p.x + frame * size + j;
    T* y = p.y + frame * size + j;
    const Taps first(p.taps + j, c, count), second(p.taps + 9 * c + j, c, count);
    now.read(x, c, count);
    if (t) {
      last.read(x - size, c, count);
      convolve<false, true>(p, now, last, none, first, second, y, count);
    } else {
      const T* before = p.before + clip * size + j;
      convolve<false, false>(p, now, now, before, first, first, y, count);
    }
    T* kept = p.kept + clip * size + j;
    if (t == p.frames - 1)
      convolve<false, false>(p, now, now, none, second, second, kept, count);
  });
}

// Of the taps on this frame and on the one before it.
template <class T>
inline void tap_gradients(const CausalShift<T>& p, const Padded& x, const Padded& dy,
                          const Padded* dnext, float* shares, int64_t count) {
  Lanes one[9] = {}, two[9] = {};
  const int64_t middle = x.offset(4);
  for (int64_t row = 0; row < p.height; ++row)
    for (int64_t column = 0; column < p.width; ++column) {
      const int64_t corner = x.corner(row, column);
      const Lanes* window = x.at(corner);
      const Lanes now = *dy.at(corner + middle);
      const Lanes next = dnext ? *dnext->at(corner + middle) : Lanes{};
#pragma GCC unroll 9
      for (int tap = 0; tap < 9; ++tap) {
        one[tap] += now * window[x.offset(tap)];
        two[tap] += next * window[x.offset(tap)];
      }
    }
  for (int tap = 0; tap < 9; ++tap) {
    store(one[tap], shares + tap * p.channels, count);
    store(two[tap], shares + (9 + tap) * p.channels, count);
  }
}

template <class T>
void causal_shift_backward(const CausalShift<T>& p, int64_t task) {
  const int64_t frame = task / p.blocks(), clip = frame / p.frames, t = frame % p.frames;
  const int64_t c = p.channels, size = p.height * p.width * c;
  const T* none = nullptr;
  Padded x(p.height, p.width), dy(p.height, p.width), dnext(p.height, p.width);
  lanes_of(p, task, [&](int64_t j, int64_t count) {
    const Taps first(p.taps + j, c, count), second(p.taps + 9 * c + j, c, count);
    x.read(p.x + frame * size + j, c, count);
    dy.read(p.dy + frame * size + j, c, count);
    // What comes back from the next frame, or from what was kept for it.
    const T* dkept = p.dkept ? p.dkept + clip * size + j : none;
    const T* later = t < p.frames - 1 ? p.dy + (frame + 1) * size + j : dkept;
    T* dx = p.dx + frame * size + j;
    if (later) {
      dnext.read(later, c, count);
      convolve<true, true>(p, dy, dnext, none, first, second, dx, count);
    } else {
      convolve<true, false>(p, dy, dy, none, first, first, dx, count);
    }
    float* shares = p.shares + frame * 18 * c + j;
    tap_gradients(p, x, dy, later ? &dnext : nullptr, shares, count);
  });
}

template <class T>
void add_norm(const AddNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), c = p.channels;
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const float* x = p.x + row * c;
    if (p.branch) {
      const float *branch = p.branch + row * c, share = p.share_of(row);
      float* sum = p.sum + row * c;
      by_lanes(c, [&](int64_t j, int64_t n) {
        store(load(x + j, n) + share * load(branch + j, n), sum + j, n);
      });
      x = sum;
    }
    T* normed = p.normed + row * c;
    const Moments m = moments(x, c, p.eps);
    by_lanes(c, [&](int64_t j, int64_t n) {
      const Lanes scaled = (load(x + j, n) - m.mean) * m.rstd * load(p.weight + j, n);
      store(scaled + load(p.bias + j, n), normed + j, n);
    });
  }
}

template <class T>
void add_norm_backward(const AddNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), c = p.channels;
  float *dweight = p.shares + 2 * task * c, *dbias = dweight + c;
  std::fill(dweight, dweight + 2 * c, 0.0f);
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const float* x = p.x + row * c;
    const T* dnormed = p.dnormed + row * c;
    const Moments m = moments(x, c, p.eps);
    Lanes sum{}, along{};
    by_lanes(c, [&](int64_t j, int64_t n) {
      const Lanes normed = (load(x + j, n) - m.mean) * m.rstd, g = load(dnormed + j, n);
      const Lanes dn = g * load(p.weight + j, n);  // 0 behind the last
      store(load(dweight + j, n) + g * normed, dweight + j, n);
      store(load(dbias + j, n) + g, dbias + j, n);
      sum += dn;
      along += dn * normed;
    });
    const float mean = sum_of(sum) / c, part = sum_of(along) / c, share = p.share_of(row);
    by_lanes(c, [&](int64_t j, int64_t n) {
      const Lanes normed = (load(x + j, n) - m.mean) * m.rstd;
      const Lanes dn = load(dnormed + j, n) * load(p.weight + j, n);
      Lanes dx = m.rstd * (dn - mean - normed * part);
      if (p.dsum) dx += load(p.dsum + row * c + j, n);
      store(dx, p.dx + row * c + j, n);
      if (p.dbranch) store(share * dx, p.dbranch + row * c + j, n);
    });
  }
}

// Calls f(i, count) for the entries of a task.
template <class T, class F>
inline void entries_of(const SquaredRelu<T>& p, int64_t task, F f) {
  const int64_t start = task * p.kStretch;
  by_lanes(std::min(p.entries - start, p.kStretch),
           [&](int64_t i, int64_t n) { f(start + i, n); });
}

template <class T>
void squared_relu(const SquaredRelu<T>& p, int64_t task) {
  entries_of(p, task, [&](int64_t i, int64_t n) {
    const Lanes x = rectify(load(p.y + i, n));
    store(x * x, p.y + i, n);
  });
}

template <class T>
void squared_relu_backward(const SquaredRelu<T>& p, int64_t task) {
  entries_of(p, task, [&](int64_t i, int64_t n) {
    store(2.0f * square_root(load(p.y + i, n)) * load(p.dy + i, n), p.dx + i, n);
  });
}

// Calls f(i, count, share) for the entries of a task.
template <class T, class F>
inline void entries_of(const AddGated<T>& p, int64_t task, F f) {
  const int64_t clip = task / p.stretches(), start = task % p.stretches() * p.kStretch;
  const float share = p.share ? p.share[clip] : 1.0f;
  by_lanes(std::min(p.entries - start, p.kStretch),
           [&](int64_t i, int64_t n) { f(clip * p.entries + start + i, n, share); });
}

template <class T>
void add_gated(const AddGated<T>& p, int64_t task) {
  entries_of(p, task, [&](int64_t i, int64_t n, float share) {
    const Lanes gated = sigmoid(load(p.a + i, n)) * load(p.b + i, n);
    store(load(p.x + i, n) + share * gated, p.y + i, n);
  });
}

template <class T>
void add_gated_backward(const AddGated<T>& p, int64_t task) {
  entries_of(p, task, [&](int64_t i, int64_t n, float share) {
    const Lanes s = sigmoid(load(p.a + i, n)), g = share * load(p.dy + i, n);
    store(g * s, p.db + i, n);
    store(g * load(p.b + i, n) * s * (1.0f - s), p.da + i, n);
  });
}

template <class From, class To>
void convert(const From* x, To* y, int64_t count) {
  by_lanes(count, [&](int64_t i, int64_t n) { store(load(x + i, n), y + i, n); });
}

template <class T>
constexpr FusedTable<T> table() {
  return {leaky_cell,   leaky_cell_backward,   gated_norm,      gated_norm_backward,
          rotate,       difference,            normalise,       normalise_backward,
          difference_backward,
          causal_shift, causal_shift_backward, add_norm,        add_norm_backward,
          squared_relu, squared_relu_backward, add_gated,       add_gated_backward};
}

}  // namespace

extern const FusedKernel LCR_NAME(fused_kernel);
const FusedKernel LCR_NAME(fused_kernel) = {LCR_STRING(LCR_ISA),      supported,
                                            table<float>(),           table<Bfloat16>(),
                                            convert<float, Bfloat16>, convert<Bfloat16, float>};

}  // namespace lcr
