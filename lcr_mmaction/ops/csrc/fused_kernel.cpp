// Elementwise chains of an LCR block in one pass each, with their gradients. Every sum is
// taken in one order, so that no result depends on the number of threads.
//
// LCR_ISA names the instruction set this file is being compiled for.
#include "fused_kernel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu_support.h"

#define LCR_VECTOR _Pragma("GCC ivdep")

namespace lcr {
namespace {

// 1 / (1 + exp(-x)) without overflow; NaN stays NaN.
inline float sigmoid(float x) {
  const float e = decay_exp(x < 0 ? x : -x);
  const float y = (x < 0 ? e : 1.0f) / (1.0f + e);
  return x == x ? y : x;
}

template <class T>
void leaky_cell(const LeakyCell<T>& p, int64_t task) {
  const int64_t clip = task / p.blocks(), first = task % p.blocks() * p.kTokens;
  const int64_t last = std::min(p.tokens, first + p.kTokens), c = p.channels;
  for (int64_t t = 0; t < p.frames; ++t)
    for (int64_t token = first; token < last; ++token) {
      const int64_t at = ((clip * p.frames + t) * p.tokens + token) * c;
      const float* before = p.memory_before(clip, t, token);
      const T *gated = p.gated + at, *edges = p.edges + at;
      const float *scale = p.scale, *bias = p.bias;
      float *hidden = p.hidden + at, *memory = p.memory + at;
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) {
        const float a = widen(gated[j]), f = sigmoid(bias[j] + widen(edges[j]) * scale[j]);
        const float now = (1.0f - f) * a + f * before[j];
        memory[j] = now;
        hidden[j] = now * sigmoid(a);
      }
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
      const T *gated = p.gated + at, *edges = p.edges + at;
      const float *memory = p.memory + at, *scale = p.scale, *bias = p.bias;
      // Any readable numbers where there is no gradient: they are not used.
      const float* dh = p.dhidden ? p.dhidden + at : p.memory + at;
      const float* dm = p.dmemory ? p.dmemory + at : p.memory + at;
      const bool from_hidden = p.dhidden, from_memory = p.dmemory;
      T *dgated = p.dgated + at, *dedges = p.dedges + at;
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) {
        const float a = widen(gated[j]), e = widen(edges[j]);
        const float f = sigmoid(bias[j] + e * scale[j]);
        const float s = sigmoid(a), g = from_hidden ? dh[j] : 0.0f;
        const float dc = carry[j] + (from_memory ? dm[j] : 0.0f) + g * s;
        narrow(g * memory[j] * s * (1.0f - s) + dc * (1.0f - f), dgated[j]);
        const float dz = dc * (before[j] - a) * f * (1.0f - f);
        narrow(dz * scale[j], dedges[j]);
        dscale[j] += dz * e;
        dbias[j] += dz;
        carry[j] = dc * f;
      }
    }
  }
}

struct Moments {
  float mean, rstd;
};
template <class T>
inline Moments moments(const T* x, int64_t size, float eps) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < size; ++j) sum += widen(x[j]);
  const float mean = sum / size;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < size; ++j) {
    const float off = widen(x[j]) - mean;
    squares += off * off;
  }
  return {mean, 1.0f / std::sqrt(squares / size + eps)};
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
      LCR_VECTOR
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (widen(x[j]) - m.mean) * m.rstd, g = widen(gate[j]);
        narrow((n * weight[j] + bias[j]) * (g * sigmoid(g)), y[j]);
      }
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
      float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (widen(x[j]) - m.mean) * m.rstd, g = widen(gate[j]);
        const float s = sigmoid(g), silu = g * s, dout = widen(dy[j]);
        const float dscaled = dout * silu;
        narrow(dout * (n * weight[j] + bias[j]) * (s + silu * (1.0f - s)), dgate[j]);
        dweight[j] += dscaled * n;
        dbias[j] += dscaled;
        const float dn = dscaled * weight[j];
        dnormed[j] = dn;
        sum += dn;
        along += dn * n;
      }
      const float mean = sum / p.size, share = along / p.size;
      LCR_VECTOR
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (widen(x[j]) - m.mean) * m.rstd;
        narrow(m.rstd * (dnormed[j] - mean - n * share), dx[j]);
      }
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
      LCR_VECTOR
      for (int64_t j = 0; j < half; ++j) {
        const float turn = p.sign * sin[j];
        const float first = widen(x[j]), second = widen(x[j + half]);
        narrow(first * cos[j] - second * turn, y[j]);
        narrow(first * turn + second * cos[j], y[j + half]);
      }
    }
  }
}

// As many channels as fit a register, or fewer of them with zeros behind.
#if defined(__AVX512F__)
constexpr int64_t kLanes = 16;
#elif defined(__AVX2__)
constexpr int64_t kLanes = 8;
#else
constexpr int64_t kLanes = 4;
#endif
typedef float Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Bits __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));

inline Lanes load(const float* x) {
  Lanes lanes;
  std::memcpy(&lanes, x, sizeof(lanes));
  return lanes;
}
inline Lanes load(const Bfloat16* x) {
  Halves halves;
  std::memcpy(&halves, x, sizeof(halves));
  return Lanes(__builtin_convertvector(halves, Bits) << 16);
}
inline void store(const Lanes& lanes, float* x) { std::memcpy(x, &lanes, sizeof(lanes)); }
inline void store(const Lanes& lanes, Bfloat16* x) {
  const Bits bits = Bits(lanes), rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Bits number = Bits(lanes == lanes);  // all ones, or none for NaN
  const Halves halves = __builtin_convertvector((rounded & number) | (0x7fc0 & ~number), Halves);
  std::memcpy(x, &halves, sizeof(halves));
}

template <class T>
inline Lanes load(const T* x, int64_t count) {
  if (count == kLanes) return load(x);
  T values[kLanes] = {};
  std::copy_n(x, count, values);
  return load(values);
}
template <class T>
inline void store(const Lanes& lanes, T* x, int64_t count) {
  if (count == kLanes) return store(lanes, x);
  T values[kLanes];
  store(lanes, values);
  std::copy_n(values, count, x);
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

// Not less than 0 but for NaN, which stays.
inline Lanes rectify(const Lanes& x) { return Lanes(Bits(x) & ~Bits(x <= 0.0f)); }
// The gradient where that lets it through.
inline Lanes rectify(const Lanes& gradient, const Lanes& x) {
  return Lanes(Bits(gradient) & ~Bits(x <= 0.0f));
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

// Calls f(tap, neighbour) for the taps of a 3 x 3 window around a token that lie in the
// frame; `back` mirrors the window.
template <bool back, class F>
inline __attribute__((always_inline)) void window(int64_t row, int64_t column, int64_t height,
                                                  int64_t width, F f) {
  const bool inside = row > 0 && row < height - 1 && column > 0 && column < width - 1;
#pragma GCC unroll 9
  for (int tap = 0; tap < 9; ++tap) {
    const int64_t r = row + tap / 3 - 1, c = column + tap % 3 - 1;
    if (inside || (r >= 0 && r < height && c >= 0 && c < width))
      f(back ? 8 - tap : tap, r * width + c);
  }
}

// y = second * b + first * a, or added + first * a, or first * a alone. The second product
// comes first, as where it was kept and is added: a clip gives the bits of its frames.
template <bool back, bool full, class T>
inline void convolve(const CausalShift<T>& p, const T* a, const T* b, const T* added,
                     const float* first, const float* second, T* y, int64_t count) {
  const int64_t c = p.channels, n = full ? kLanes : count;
  Lanes one[9], two[9];
  for (int tap = 0; tap < 9; ++tap) {
    one[tap] = load(first + tap * c, n);
    two[tap] = load(second + tap * c, n);
  }
  for (int64_t row = 0; row < p.height; ++row)
    for (int64_t column = 0; column < p.width; ++column) {
      const int64_t token = row * p.width + column;
      Lanes sum = added ? load(added + token * c, n) : Lanes{};
      if (b)
        window<back>(row, column, p.height, p.width,
                     [&](int tap, int64_t at) { sum += two[tap] * load(b + at * c, n); });
      window<back>(row, column, p.height, p.width,
                   [&](int tap, int64_t at) { sum += one[tap] * load(a + at * c, n); });
      store(sum, y + token * c, n);
    }
}

template <bool back, class T>
void convolve(const CausalShift<T>& p, const T* a, const T* b, const T* added,
              const float* first, const float* second, T* y, int64_t count) {
  if (count == kLanes)
    convolve<back, true>(p, a, b, added, first, second, y, count);
  else
    convolve<back, false>(p, a, b, added, first, second, y, count);
}

// Calls f(channel, count) for a task's channels, a register's worth at a time.
template <class T, class F>
inline void lanes_of(const CausalShift<T>& p, int64_t task, F f) {
  const int64_t first = task % p.blocks() * p.kChannels;
  const int64_t last = std::min(p.channels, first + p.kChannels);
  for (int64_t j = first; j < last; j += kLanes) f(j, std::min(kLanes, last - j));
}

template <class T>
void causal_shift(const CausalShift<T>& p, int64_t task) {
  const int64_t frame = task / p.blocks(), clip = frame / p.frames, t = frame % p.frames;
  const int64_t size = p.height * p.width * p.channels;
  const T* x = p.x + frame * size;
  const float *now = p.taps, *last = p.taps + 9 * p.channels;
  const T* none = nullptr;
  lanes_of(p, task, [&](int64_t j, int64_t count) {
    const T* past = t ? x - size + j : none;
    const T* before = t ? none : p.before + clip * size + j;
    T* y = p.y + frame * size + j;
    convolve<false>(p, x + j, past, before, now + j, last + j, y, count);
    if (t == p.frames - 1)
      convolve<false>(p, x + j, none, none, last + j, last + j, p.kept + clip * size + j, count);
  });
}

template <bool full, class T>
inline void tap_gradients(const CausalShift<T>& p, const T* x, const T* dy, const T* dnext,
                          float* shares, int64_t count) {
  const int64_t c = p.channels, n = full ? kLanes : count;
  Lanes one[9] = {}, two[9] = {};
  for (int64_t row = 0; row < p.height; ++row)
    for (int64_t column = 0; column < p.width; ++column) {
      const int64_t token = row * p.width + column;
      const Lanes now = load(dy + token * c, n);
      const Lanes next = dnext ? load(dnext + token * c, n) : Lanes{};
      window<false>(row, column, p.height, p.width, [&](int tap, int64_t at) {
        const Lanes seen = load(x + at * c, n);
        one[tap] += now * seen;
        two[tap] += next * seen;
      });
    }
  for (int tap = 0; tap < 9; ++tap) {
    store(one[tap], shares + tap * c, n);
    store(two[tap], shares + (9 + tap) * c, n);
  }
}

template <class T>
void causal_shift_backward(const CausalShift<T>& p, int64_t task) {
  const int64_t frame = task / p.blocks(), clip = frame / p.frames, t = frame % p.frames;
  const int64_t size = p.height * p.width * p.channels;
  const float *now = p.taps, *last = p.taps + 9 * p.channels;
  const T* none = nullptr;
  lanes_of(p, task, [&](int64_t j, int64_t count) {
    const T *x = p.x + frame * size + j, *dy = p.dy + frame * size + j;
    // What comes back from the next frame, or from what was kept for it.
    const T* dkept = p.dkept ? p.dkept + clip * size + j : none;
    const T* dnext = t < p.frames - 1 ? dy + size : dkept;
    convolve<true>(p, dy, dnext, none, now + j, last + j, p.dx + frame * size + j, count);
    float* shares = p.shares + frame * 18 * p.channels + j;
    if (count == kLanes)
      tap_gradients<true>(p, x, dy, dnext, shares, count);
    else
      tap_gradients<false>(p, x, dy, dnext, shares, count);
  });
}

template <class T>
void add_norm(const AddNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), c = p.channels;
  const float *weight = p.weight, *bias = p.bias;
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const float* x = p.x + row * c;
    if (p.branch) {
      const float *branch = p.branch + row * c, share = p.share_of(row);
      float* sum = p.sum + row * c;
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) sum[j] = x[j] + share * branch[j];
      x = sum;
    }
    T* normed = p.normed + row * c;
    const Moments m = moments(x, c, p.eps);
    LCR_VECTOR
    for (int64_t j = 0; j < c; ++j)
      narrow((x[j] - m.mean) * m.rstd * weight[j] + bias[j], normed[j]);
  }
}

template <class T>
void add_norm_backward(const AddNorm<T>& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), c = p.channels;
  float *dweight = p.shares + 2 * task * c, *dbias = dweight + c;
  std::fill(dweight, dweight + 2 * c, 0.0f);
  const float* weight = p.weight;
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const float* x = p.x + row * c;
    const T* dnormed = p.dnormed + row * c;
    const Moments m = moments(x, c, p.eps);
    float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
    for (int64_t j = 0; j < c; ++j) {
      const float n = (x[j] - m.mean) * m.rstd, g = widen(dnormed[j]), dn = g * weight[j];
      dweight[j] += g * n;
      dbias[j] += g;
      sum += dn;
      along += dn * n;
    }
    const float mean = sum / c, part = along / c, share = p.share_of(row);
    // Any readable numbers where there is no gradient: they are not used.
    const float* dsum = p.dsum ? p.dsum + row * c : x;
    const bool more = p.dsum;
    float* dx = p.dx + row * c;
    LCR_VECTOR
    for (int64_t j = 0; j < c; ++j) {
      const float n = (x[j] - m.mean) * m.rstd, dn = widen(dnormed[j]) * weight[j];
      dx[j] = m.rstd * (dn - mean - n * part) + (more ? dsum[j] : 0.0f);
    }
    if (!p.dbranch) continue;
    float* dbranch = p.dbranch + row * c;
    LCR_VECTOR
    for (int64_t j = 0; j < c; ++j) dbranch[j] = share * dx[j];
  }
}

template <class T>
void squared_relu(const SquaredRelu<T>& p, int64_t task) {
  const int64_t end = std::min(p.entries, (task + 1) * p.kStretch);
  T* y = p.y;
  LCR_VECTOR
  for (int64_t i = task * p.kStretch; i < end; ++i) {
    const float x = widen(y[i]);
    narrow(x <= 0 ? 0.0f : x * x, y[i]);
  }
}

template <class T>
void squared_relu_backward(const SquaredRelu<T>& p, int64_t task) {
  const int64_t end = std::min(p.entries, (task + 1) * p.kStretch);
  const T *y = p.y, *dy = p.dy;
  T* dx = p.dx;
  LCR_VECTOR
  for (int64_t i = task * p.kStretch; i < end; ++i)
    narrow(2.0f * std::sqrt(widen(y[i])) * widen(dy[i]), dx[i]);
}

// Calls f(i, share) for the entries of a task.
template <class T, class F>
inline void entries_of(const AddGated<T>& p, int64_t task, F f) {
  const int64_t clip = task / p.stretches(), first = task % p.stretches() * p.kStretch;
  const int64_t end = std::min(p.entries, first + p.kStretch);
  const float share = p.share ? p.share[clip] : 1.0f;
  LCR_VECTOR
  for (int64_t i = clip * p.entries + first; i < clip * p.entries + end; ++i) f(i, share);
}

template <class T>
void add_gated(const AddGated<T>& p, int64_t task) {
  const T *a = p.a, *b = p.b;
  const float* x = p.x;
  float* y = p.y;
  entries_of(p, task, [=](int64_t i, float share) {
    y[i] = x[i] + share * (sigmoid(widen(a[i])) * widen(b[i]));
  });
}

template <class T>
void add_gated_backward(const AddGated<T>& p, int64_t task) {
  const T *a = p.a, *b = p.b;
  const float* dy = p.dy;
  T *da = p.da, *db = p.db;
  entries_of(p, task, [=](int64_t i, float share) {
    const float s = sigmoid(widen(a[i])), g = share * dy[i];
    narrow(g * s, db[i]);
    narrow(g * widen(b[i]) * s * (1.0f - s), da[i]);
  });
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
const FusedKernel LCR_NAME(fused_kernel) = {LCR_STRING(LCR_ISA), supported, table<float>(),
                                            table<Bfloat16>()};

}  // namespace lcr
