// The fused kernels' door: plain pointers, as in cpu_kernel.h. All tensors are dense and
// row-major unless a row length is given. Activations are of type T, float or Bfloat16;
// parameters, the cell's memory and all arithmetic are float.
#pragma once

#include <cstdint>

#include "bfloat16.h"

namespace lcr {

// C_t = f_t C_{t-1} + (1 - f_t) A_t, H_t = C_t sigmoid(A_t), f_t = sigmoid(scale E_t + bias).
// A task is a block of tokens of one clip, through all its frames.
template <class T>
struct LeakyCell {
  static constexpr int64_t kTokens = 16;  // per task
  int64_t clips, frames, tokens, channels;
  const T *gated, *edges;
  const float *scale, *bias, *before;
  float *hidden, *memory;
  // The gradient: of hidden and memory (either may be null), to all inputs; those of scale
  // and bias as (tasks, 2, channels).
  const float *dhidden, *dmemory;
  T *dgated, *dedges;
  float *dbefore, *shares;

  int64_t blocks() const { return (tokens + kTokens - 1) / kTokens; }
  int64_t tasks() const { return clips * blocks(); }
  const float* memory_before(int64_t clip, int64_t t, int64_t token) const {
    return t ? memory + ((clip * frames + t - 1) * tokens + token) * channels
             : before + (clip * tokens + token) * channels;
  }
};

// y = (layer_norm(x of a head) weight + bias) silu(gate). A task is some rows.
template <class T>
struct GatedNorm {
  static constexpr int64_t kRows = 64;  // per task
  int64_t rows, heads, size;            // channels: heads * size
  int64_t x_row, gate_row;              // row lengths
  float eps;
  const T *x, *gate;
  const float *weight, *bias;
  T* y;
  const T* dy;
  T *dx, *dgate;
  float* shares;  // (tasks, 2, channels) of weight and bias

  int64_t tasks() const { return (rows + kRows - 1) / kRows; }
};

// Pairs (i, i + size / 2) of every head turned by the angles of their token.
template <class T>
struct Rotate {
  static constexpr int64_t kRows = 64;
  int64_t rows, heads, size, x_row;
  int64_t tokens, clip_rows;  // angles of row i: token i % tokens of clip i / clip_rows
  const T* x;
  const float *cos, *sin;
  float sign;  // -1 turns back
  T* y;

  int64_t tasks() const { return (rows + kRows - 1) / kRows; }
};

// Every frame's first half of the channels less the frame before's second half; scaled and
// shifted per channel if `scale` is given, and rectified if `relu` is true. Maps lie pixel by
// pixel. A task is some pixels.
template <class T>
struct Difference {
  static constexpr int64_t kPixels = 256;
  int64_t clips, frames, pixels, channels;
  const T *both, *before;  // (clips, frames, pixels, 2 channels), (clips, pixels, channels)
  const float *scale, *shift;
  bool relu;
  T* y;
  float* shares;  // (tasks, 2, channels): mean and sum of squares about it, or null

  int64_t rows() const { return clips * frames * pixels; }
  int64_t tasks() const { return (rows() + kPixels - 1) / kPixels; }
};

// y = scale x + shift, rectified if `relu` is true, and its gradient where scale and shift
// come from the mean and the variance of x: dx = scale dz - along (x - mean) - offset, with
// dz that of y before it was rectified.
template <class T>
struct Normalise {
  static constexpr int64_t kPixels = 256;
  int64_t rows, channels;
  bool relu;
  const T* x;
  const float *scale, *shift;
  T* y;
  const T* dy;
  const float* mean;
  float* shares;  // (tasks, 2, channels): sums of dz (x - mean) and of dz

  int64_t tasks() const { return (rows + kPixels - 1) / kPixels; }
};

// The rest of that gradient, for an x that `Difference` made. A task is some pixels of a
// clip, through all its frames.
template <class T>
struct DifferenceBackward {
  static constexpr int64_t kPixels = 32;
  int64_t clips, frames, pixels, channels;
  bool relu;
  const T *x, *dy;
  const float *scale, *shift, *mean, *along, *offset;
  T *dboth, *dbefore;

  int64_t blocks() const { return (pixels + kPixels - 1) / kPixels; }
  int64_t tasks() const { return clips * blocks(); }
};

// A depthwise convolution of 2 x 3 x 3: y_t = taps[0] * x_t + taps[1] * x_{t-1}, whose
// second part is `before` for the first frame; `kept` is the second part of the last frame
// for the next. A task is some channels of one frame.
template <class T>
struct CausalShift {
  static constexpr int64_t kChannels = 64;  // per task
  int64_t clips, frames, height, width, channels;
  const T *x, *before;  // (clips, frames, tokens, channels), (clips, tokens, channels)
  const float* taps;    // (2, 9, channels)
  T *y, *kept;
  // The gradient of y and kept (which may be null), to x and the taps; that of `before` is
  // the first frame's.
  const T *dy, *dkept;
  T* dx;
  float* shares;  // (clips * frames, 2, 9, channels)

  int64_t blocks() const { return (channels + kChannels - 1) / kChannels; }
  int64_t tasks() const { return clips * frames * blocks(); }
};

// sum = x + share branch, normed = layer_norm(sum) weight + bias; without a branch the sum is
// x. A task is some rows.
template <class T>
struct AddNorm {
  static constexpr int64_t kRows = 64;
  int64_t rows, channels, clip_rows;
  float eps;
  const float *x, *branch, *share;  // share: a number a clip, or null for ones
  const float *weight, *bias;
  float* sum;
  T* normed;
  // The gradient: dx of the sum, and share dx where there is a share. dsum may be null.
  const float* dsum;
  const T* dnormed;
  float *dx, *dbranch;
  float* shares;  // (tasks, 2, channels) of weight and bias

  int64_t tasks() const { return (rows + kRows - 1) / kRows; }
  float share_of(int64_t row) const { return share ? share[row / clip_rows] : 1.0f; }
};

// y = relu(y)^2 in place; its gradient needs y alone. A task is a stretch of entries.
template <class T>
struct SquaredRelu {
  static constexpr int64_t kStretch = 16384;
  int64_t entries;
  T* y;
  const T* dy;
  T* dx;

  int64_t tasks() const { return (entries + kStretch - 1) / kStretch; }
};

// y = x + share sigmoid(a) b. A task is a stretch of a clip's entries.
template <class T>
struct AddGated {
  static constexpr int64_t kStretch = 16384;
  int64_t clips, entries;  // of a clip
  const float *x, *share;  // share: a number a clip, or null for ones
  const T *a, *b;
  float* y;
  const float* dy;
  T *da, *db;

  int64_t stretches() const { return (entries + kStretch - 1) / kStretch; }
  int64_t tasks() const { return clips * stretches(); }
};

template <class T>
struct FusedTable {
  void (*leaky_cell)(const LeakyCell<T>&, int64_t task);
  void (*leaky_cell_backward)(const LeakyCell<T>&, int64_t task);
  void (*gated_norm)(const GatedNorm<T>&, int64_t task);
  void (*gated_norm_backward)(const GatedNorm<T>&, int64_t task);
  void (*rotate)(const Rotate<T>&, int64_t task);
  void (*difference)(const Difference<T>&, int64_t task);
  void (*normalise)(const Normalise<T>&, int64_t task);
  void (*normalise_backward)(const Normalise<T>&, int64_t task);
  void (*difference_backward)(const DifferenceBackward<T>&, int64_t task);
  void (*causal_shift)(const CausalShift<T>&, int64_t task);
  void (*causal_shift_backward)(const CausalShift<T>&, int64_t task);
  void (*add_norm)(const AddNorm<T>&, int64_t task);
  void (*add_norm_backward)(const AddNorm<T>&, int64_t task);
  void (*squared_relu)(const SquaredRelu<T>&, int64_t task);
  void (*squared_relu_backward)(const SquaredRelu<T>&, int64_t task);
  void (*add_gated)(const AddGated<T>&, int64_t task);
  void (*add_gated_backward)(const AddGated<T>&, int64_t task);
};

struct FusedKernel {
  const char* name;
  bool (*supported)();
  FusedTable<float> single;
  FusedTable<Bfloat16> half;
  void (*round)(const float* x, Bfloat16* y, int64_t count);
  void (*widen)(const Bfloat16* x, float* y, int64_t count);

  const FusedTable<float>& table(float) const { return single; }
  const FusedTable<Bfloat16>& table(Bfloat16) const { return half; }
};

}  // namespace lcr
