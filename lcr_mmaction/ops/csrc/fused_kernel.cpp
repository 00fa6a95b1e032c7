// Elementwise chains of an LCR block in one pass each, with their gradients. Every sum is
// taken in one order, so that no result depends on the number of threads.
//
// LCR_ISA names the instruction set this file is being compiled for.
#include "fused_kernel.h"

#include <algorithm>
#include <cmath>

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

void leaky_cell(const LeakyCell& p, int64_t task) {
  const int64_t clip = task / p.blocks(), first = task % p.blocks() * p.kTokens;
  const int64_t last = std::min(p.tokens, first + p.kTokens), c = p.channels;
  for (int64_t t = 0; t < p.frames; ++t)
    for (int64_t token = first; token < last; ++token) {
      const int64_t at = ((clip * p.frames + t) * p.tokens + token) * c;
      const float* before = p.memory_before(clip, t, token);
      const float *gated = p.gated + at, *edges = p.edges + at;
      const float *scale = p.scale, *bias = p.bias;
      float *hidden = p.hidden + at, *memory = p.memory + at;
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) {
        const float a = gated[j], f = sigmoid(bias[j] + edges[j] * scale[j]);
        const float now = (1.0f - f) * a + f * before[j];
        memory[j] = now;
        hidden[j] = now * sigmoid(a);
      }
    }
}

void leaky_cell_backward(const LeakyCell& p, int64_t task) {
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
      const float *gated = p.gated + at, *edges = p.edges + at, *memory = p.memory + at;
      const float *scale = p.scale, *bias = p.bias;
      // Any readable numbers where there is no gradient: they are not used.
      const float* dh = p.dhidden ? p.dhidden + at : p.memory + at;
      const float* dm = p.dmemory ? p.dmemory + at : p.memory + at;
      const bool from_hidden = p.dhidden, from_memory = p.dmemory;
      float *dgated = p.dgated + at, *dedges = p.dedges + at;
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) {
        const float a = gated[j], e = edges[j], f = sigmoid(bias[j] + e * scale[j]);
        const float s = sigmoid(a), g = from_hidden ? dh[j] : 0.0f;
        const float dc = carry[j] + (from_memory ? dm[j] : 0.0f) + g * s;
        dgated[j] = g * memory[j] * s * (1.0f - s) + dc * (1.0f - f);
        const float dz = dc * (before[j] - a) * f * (1.0f - f);
        dedges[j] = dz * scale[j];
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
inline Moments moments(const float* x, int64_t size, float eps) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < size; ++j) sum += x[j];
  const float mean = sum / size;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < size; ++j) squares += (x[j] - mean) * (x[j] - mean);
  return {mean, 1.0f / std::sqrt(squares / size + eps)};
}

void gated_norm(const GatedNorm& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows);
  for (int64_t row = task * p.kRows; row < end; ++row)
    for (int64_t head = 0; head < p.heads; ++head) {
      const int64_t at = head * p.size;
      const float *x = p.x + row * p.x_row + at, *gate = p.gate + row * p.gate_row + at;
      const float *weight = p.weight + at, *bias = p.bias + at;
      float* y = p.y + row * p.heads * p.size + at;
      const Moments m = moments(x, p.size, p.eps);
      LCR_VECTOR
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (x[j] - m.mean) * m.rstd;
        y[j] = (n * weight[j] + bias[j]) * (gate[j] * sigmoid(gate[j]));
      }
    }
}

void gated_norm_backward(const GatedNorm& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), channels = p.heads * p.size;
  float* shares = p.shares + 2 * task * channels;
  std::fill(shares, shares + 2 * channels, 0.0f);
  for (int64_t row = task * p.kRows; row < end; ++row)
    for (int64_t head = 0; head < p.heads; ++head) {
      const int64_t at = head * p.size, out = row * channels + at;
      const float *x = p.x + row * p.x_row + at, *gate = p.gate + row * p.gate_row + at;
      const float *weight = p.weight + at, *bias = p.bias + at, *dy = p.dy + out;
      float *dx = p.dx + out, *dgate = p.dgate + out;
      float *dweight = shares + at, *dbias = shares + channels + at;
      const Moments m = moments(x, p.size, p.eps);
      float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (x[j] - m.mean) * m.rstd, s = sigmoid(gate[j]), silu = gate[j] * s;
        const float dnormed = dy[j] * silu;
        dgate[j] = dy[j] * (n * weight[j] + bias[j]) * (s + silu * (1.0f - s));
        dweight[j] += dnormed * n;
        dbias[j] += dnormed;
        const float dn = dnormed * weight[j];
        dx[j] = dn;
        sum += dn;
        along += dn * n;
      }
      const float mean = sum / p.size, share = along / p.size;
      LCR_VECTOR
      for (int64_t j = 0; j < p.size; ++j) {
        const float n = (x[j] - m.mean) * m.rstd;
        dx[j] = m.rstd * (dx[j] - mean - n * share);
      }
    }
}

void rotate(const Rotate& p, int64_t task) {
  const int64_t end = std::min(p.rows, (task + 1) * p.kRows), half = p.size / 2;
  for (int64_t row = task * p.kRows; row < end; ++row) {
    const int64_t angle = (row / p.clip_rows * p.tokens + row % p.tokens) * half;
    const float *cos = p.cos + angle, *sin = p.sin + angle;
    for (int64_t head = 0; head < p.heads; ++head) {
      const float* x = p.x + row * p.x_row + head * p.size;
      float* y = p.y + (row * p.heads + head) * p.size;
      LCR_VECTOR
      for (int64_t j = 0; j < half; ++j) {
        const float turn = p.sign * sin[j];
        y[j] = x[j] * cos[j] - x[j + half] * turn;
        y[j + half] = x[j] * turn + x[j + half] * cos[j];
      }
    }
  }
}

void difference(const Difference& p, int64_t task) {
  const int64_t end = std::min(p.rows(), (task + 1) * p.kPixels), c = p.channels;
  for (int64_t row = task * p.kPixels; row < end; ++row) {
    const int64_t frame = row / p.pixels, pixel = row % p.pixels;
    const float* now = p.both + 2 * row * c;
    const float* last = frame % p.frames
                            ? now - (2 * p.pixels - 1) * c
                            : p.before + (frame / p.frames * p.pixels + pixel) * c;
    float* y = p.y + row * c;
    if (!p.scale) {
      LCR_VECTOR
      for (int64_t j = 0; j < c; ++j) y[j] = now[j] - last[j];
      continue;
    }
    const float *scale = p.scale, *shift = p.shift;
    const bool relu = p.relu;
    LCR_VECTOR
    for (int64_t j = 0; j < c; ++j) {
      const float x = (now[j] - last[j]) * scale[j] + shift[j];
      y[j] = relu && x <= 0 ? 0.0f : x;
    }
  }
}

void difference_backward(const Difference& p, int64_t task) {
  const int64_t end = std::min(p.rows(), (task + 1) * p.kPixels), c = p.channels;
  for (int64_t row = task * p.kPixels; row < end; ++row) {
    const int64_t frame = row / p.pixels, pixel = row % p.pixels, t = frame % p.frames;
    const float* dy = p.dy + row * c;
    const float* next = dy + p.pixels * c;
    float* dnow = p.dboth + 2 * row * c;
    float* dlast = dnow + c;
    std::copy(dy, dy + c, dnow);
    if (t < p.frames - 1)
      for (int64_t j = 0; j < c; ++j) dlast[j] = -next[j];
    else
      std::fill(dlast, dlast + c, 0.0f);
    float* dbefore = p.dbefore + (frame / p.frames * p.pixels + pixel) * c;
    if (!t)
      for (int64_t j = 0; j < c; ++j) dbefore[j] = -dy[j];
  }
}

template <class F>
inline void stretch(const Pointwise& p, int64_t task, F f) {
  const int64_t end = std::min(p.entries, (task + 1) * p.kStretch);
  LCR_VECTOR
  for (int64_t i = task * p.kStretch; i < end; ++i) f(i);
}

void squared_relu(const Pointwise& p, int64_t task) {
  const float* a = p.a;
  float* y = p.y;
  stretch(p, task, [=](int64_t i) { y[i] = a[i] <= 0 ? 0.0f : a[i] * a[i]; });
}

void squared_relu_backward(const Pointwise& p, int64_t task) {
  const float *a = p.a, *dy = p.dy;
  float* da = p.da;
  stretch(p, task, [=](int64_t i) { da[i] = a[i] <= 0 ? 0.0f : 2.0f * a[i] * dy[i]; });
}

void sigmoid_product(const Pointwise& p, int64_t task) {
  const float *a = p.a, *b = p.b;
  float* y = p.y;
  stretch(p, task, [=](int64_t i) { y[i] = sigmoid(a[i]) * b[i]; });
}

void sigmoid_product_backward(const Pointwise& p, int64_t task) {
  const float *a = p.a, *b = p.b, *dy = p.dy;
  float *da = p.da, *db = p.db;
  stretch(p, task, [=](int64_t i) {
    const float s = sigmoid(a[i]);
    db[i] = dy[i] * s;
    da[i] = dy[i] * b[i] * s * (1.0f - s);
  });
}

}  // namespace

extern const FusedKernel LCR_NAME(fused_kernel);
const FusedKernel LCR_NAME(fused_kernel) = {
    LCR_STRING(LCR_ISA),   supported,           leaky_cell,
    leaky_cell_backward,   gated_norm,          gated_norm_backward,
    rotate,                difference,          difference_backward,
    squared_relu,          squared_relu_backward, sigmoid_product,
    sigmoid_product_backward};

}  // namespace lcr
