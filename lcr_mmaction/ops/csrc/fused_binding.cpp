// The fused kernels as PyTorch operators. Inputs have been checked by the Python side.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "cpu_threads.h"
#include "fused_kernel.h"

namespace lcr {

// Whichever of these were compiled; the build says so.
extern const FusedKernel fused_kernel_avx512, fused_kernel_avx2, fused_kernel_generic;

namespace {

using at::Tensor;

const FusedKernel& kernel() {
  static const FusedKernel& chosen = []() -> const FusedKernel& {
    const FusedKernel* candidates[] = {
#if defined(LCR_WITH_AVX512)
        &fused_kernel_avx512,
#endif
#if defined(LCR_WITH_AVX2)
        &fused_kernel_avx2,
#endif
#if defined(LCR_WITH_GENERIC)
        &fused_kernel_generic,
#endif
    };
    for (const FusedKernel* candidate : candidates)
      if (candidate->supported()) return *candidate;
    TORCH_CHECK(false, "the fused CPU kernels were compiled for another processor");
  }();
  return chosen;
}

// A thread is worth waking for this many entries.
constexpr int64_t kEntriesPerThread = 32768;

template <class P>
using Task = void (*)(const P&, int64_t);

template <class P>
void run(Task<P> f, const P& problem, int64_t entries) {
  const int64_t tasks = problem.tasks();
  const int64_t worth = std::min(tasks, entries / kEntriesPerThread + 1);
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  std::atomic<int64_t> next{0};
  on_threads(std::min(threads, worth), [&] {
    for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
      f(problem, task);
  });
}

// Sums (tasks, 2, channels) over the tasks, in order.
std::tuple<Tensor, Tensor> add_shares(const Tensor& shares) {
  const int64_t tasks = shares.size(0), channels = shares.size(2);
  Tensor first = at::empty({channels}, shares.options()), second = at::empty_like(first);
  const float* x = shares.const_data_ptr<float>();
  for (int side = 0; side < 2; ++side) {
    float* out = (side ? second : first).data_ptr<float>();
    std::fill(out, out + channels, 0.0f);
    for (int64_t task = 0; task < tasks; ++task)
      for (int64_t j = 0; j < channels; ++j) out[j] += x[(2 * task + side) * channels + j];
  }
  return {first, second};
}

Tensor dense(const Tensor& x) { return at::empty(x.sizes(), x.options()); }
Tensor single(at::IntArrayRef sizes, const Tensor& like) {
  return at::empty(sizes, like.options().dtype(at::kFloat));
}

// Calls f with an example of the type of the activations, that of `x`.
template <class F>
void by_type(const Tensor& x, F f) {
  if (x.scalar_type() == at::kBFloat16) return f(Bfloat16{});
  TORCH_CHECK(x.scalar_type() == at::kFloat, "float32 or bfloat16 expected");
  f(float{});
}

template <class T = float>
const T* read(const Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}
const float* read(const std::optional<Tensor>& x) { return x ? read<>(*x) : nullptr; }
template <class T = float>
T* write(const Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

// ---- leaky cell -------------------------------------------------------------------

template <class T>
LeakyCell<T> leaky_problem(const Tensor& gated, const Tensor& edges, const Tensor& scale,
                           const Tensor& bias, const Tensor& before) {
  LeakyCell<T> p{};
  p.clips = gated.size(0), p.frames = gated.size(1);
  p.tokens = gated.size(2), p.channels = gated.size(3);
  p.gated = read<T>(gated), p.edges = read<T>(edges), p.before = read<>(before);
  p.scale = read<>(scale), p.bias = read<>(bias);
  return p;
}

std::tuple<Tensor, Tensor> leaky_cell(const Tensor& gated, const Tensor& edges,
                                      const Tensor& scale, const Tensor& bias,
                                      const Tensor& before) {
  Tensor hidden = single(gated.sizes(), gated), memory = single(gated.sizes(), gated);
  by_type(gated, [&](auto type) {
    auto p = leaky_problem<decltype(type)>(gated, edges, scale, bias, before);
    p.hidden = write<>(hidden), p.memory = write<>(memory);
    run(kernel().table(type).leaky_cell, p, gated.numel());
  });
  return {hidden, memory};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> leaky_cell_backward(
    const std::optional<Tensor>& dhidden, const std::optional<Tensor>& dmemory,
    const Tensor& memory, const Tensor& gated, const Tensor& edges, const Tensor& scale,
    const Tensor& bias, const Tensor& before) {
  Tensor dgated = dense(gated), dedges = dense(gated), dbefore = dense(before), shares;
  by_type(gated, [&](auto type) {
    using T = decltype(type);
    auto p = leaky_problem<T>(gated, edges, scale, bias, before);
    shares = single({p.tasks(), 2, p.channels}, gated);
    p.memory = write<>(memory);
    p.dhidden = read(dhidden), p.dmemory = read(dmemory);
    p.dgated = write<T>(dgated), p.dedges = write<T>(dedges);
    p.dbefore = write<>(dbefore), p.shares = write<>(shares);
    run(kernel().table(type).leaky_cell_backward, p, 2 * gated.numel());
  });
  auto [dscale, dbias] = add_shares(shares);
  return {dgated, dedges, dscale, dbias, dbefore};
}

// ---- gated norm -------------------------------------------------------------------

// x is (rows, heads, size) and gate (rows, heads * size); their rows may lie apart.
template <class T>
GatedNorm<T> norm_problem(const Tensor& x, const Tensor& gate, const Tensor& weight,
                          const Tensor& bias, double eps) {
  GatedNorm<T> p{};
  p.rows = x.size(0), p.heads = x.size(1), p.size = x.size(2);
  p.x_row = x.stride(0), p.gate_row = gate.stride(0), p.eps = float(eps);
  p.x = read<T>(x), p.gate = read<T>(gate), p.weight = read<>(weight), p.bias = read<>(bias);
  return p;
}

Tensor gated_norm(const Tensor& x, const Tensor& gate, const Tensor& weight,
                  const Tensor& bias, double eps) {
  Tensor y = dense(gate);
  by_type(x, [&](auto type) {
    auto p = norm_problem<decltype(type)>(x, gate, weight, bias, eps);
    p.y = write<decltype(type)>(y);
    run(kernel().table(type).gated_norm, p, gate.numel());
  });
  return y;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> gated_norm_backward(
    const Tensor& dy, const Tensor& x, const Tensor& gate, const Tensor& weight,
    const Tensor& bias, double eps) {
  Tensor dx = dense(x), dgate = dense(gate), shares;
  by_type(x, [&](auto type) {
    using T = decltype(type);
    auto p = norm_problem<T>(x, gate, weight, bias, eps);
    shares = single({p.tasks(), 2, weight.size(0)}, x);
    p.dy = read<T>(dy), p.dx = write<T>(dx), p.dgate = write<T>(dgate);
    p.shares = write<>(shares);
    run(kernel().table(type).gated_norm_backward, p, 2 * gate.numel());
  });
  auto [dweight, dbias] = add_shares(shares);
  return {dx, dgate, dweight, dbias};
}

// ---- the rest ---------------------------------------------------------------------

// x is (rows, heads, size), cos and sin (1 or clips, tokens, size / 2).
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool back) {
  Tensor y = dense(x);
  by_type(x, [&](auto type) {
    using T = decltype(type);
    Rotate<T> p{};
    p.rows = x.size(0), p.heads = x.size(1), p.size = x.size(2), p.x_row = x.stride(0);
    p.tokens = cos.size(1), p.clip_rows = std::max<int64_t>(p.rows / cos.size(0), 1);
    p.x = read<T>(x), p.cos = read<>(cos), p.sin = read<>(sin);
    p.sign = back ? -1.0f : 1.0f, p.y = write<T>(y);
    run(kernel().table(type).rotate, p, x.numel());
  });
  return y;
}

// Maps in channels-last memory: both (clips * frames, 2 channels, height, width), before
// (clips, channels, height, width).
Tensor maps(int64_t count, int64_t channels, const Tensor& like) {
  return at::empty({count, channels, like.size(2), like.size(3)},
                   like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

template <class T>
Difference<T> difference_problem(const Tensor& both, const Tensor& before, const Tensor& y) {
  Difference<T> p{};
  p.clips = before.size(0), p.frames = both.size(0) / p.clips;
  p.pixels = both.size(2) * both.size(3), p.channels = before.size(1);
  p.both = read<T>(both), p.before = read<T>(before), p.y = write<T>(y);
  return p;
}

Tensor difference(const Tensor& both, const Tensor& before, const Tensor& scale,
                  const Tensor& shift, bool relu) {
  Tensor y = maps(both.size(0), before.size(1), both);
  by_type(both, [&](auto type) {
    auto p = difference_problem<decltype(type)>(both, before, y);
    p.scale = read<>(scale), p.shift = read<>(shift), p.relu = relu;
    run(kernel().table(type).difference, p, both.numel());
  });
  return y;
}

// Mean and variance of `rows` values a channel from those of the tasks, in order.
std::tuple<Tensor, Tensor> add_moments(const Tensor& shares, int64_t rows, int64_t task_rows) {
  const int64_t tasks = shares.size(0), channels = shares.size(2);
  Tensor mean = at::empty({channels}, shares.options()), variance = at::empty_like(mean);
  const float* x = read<>(shares);
  for (int64_t j = 0; j < channels; ++j) {
    double sum = 0, squares = 0;
    auto each = [&](auto f) {
      for (int64_t task = 0; task < tasks; ++task)
        f(std::min(task_rows, rows - task * task_rows), x + 2 * task * channels + j);
    };
    each([&](int64_t count, const float* share) { sum += double(count) * share[0]; });
    const double middle = sum / rows;
    each([&](int64_t count, const float* share) {
      const double off = share[0] - middle;
      squares += share[channels] + count * off * off;
    });
    write<>(mean)[j] = float(middle), write<>(variance)[j] = float(squares / rows);
  }
  return {mean, variance};
}

// What batch norm multiplies by and then adds.
struct Affine {
  std::vector<float> scale, shift, rstd;

  Affine(const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& variance,
         double eps) {
    for (int64_t j = 0; j < weight.size(0); ++j) {
      rstd.push_back(float(1 / std::sqrt(read<>(variance)[j] + eps)));
      scale.push_back(read<>(weight)[j] * rstd[j]);
      shift.push_back(read<>(bias)[j] - read<>(mean)[j] * scale[j]);
    }
  }
};

template <class T>
Normalise<T> normalise_problem(const Tensor& x, const Affine& affine, bool relu) {
  Normalise<T> p{};
  p.channels = x.size(1), p.rows = x.numel() / p.channels, p.relu = relu;
  p.x = read<T>(x), p.scale = affine.scale.data(), p.shift = affine.shift.data();
  return p;
}

// The difference normed over all its pixels, the difference itself, and its mean and variance.
std::tuple<Tensor, Tensor, Tensor, Tensor> normed_difference(const Tensor& both,
                                                             const Tensor& before,
                                                             const Tensor& weight,
                                                             const Tensor& bias, double eps,
                                                             bool relu) {
  Tensor x = maps(both.size(0), before.size(1), both), y = at::empty_like(x), mean, variance;
  by_type(both, [&](auto type) {
    using T = decltype(type);
    auto p = difference_problem<T>(both, before, x);
    const Tensor shares = single({p.tasks(), 2, p.channels}, both);
    p.shares = write<>(shares);
    run(kernel().table(type).difference, p, both.numel());
    std::tie(mean, variance) = add_moments(shares, p.rows(), p.kPixels);
    const Affine affine(weight, bias, mean, variance, eps);
    auto q = normalise_problem<T>(x, affine, relu);
    q.y = write<T>(y);
    run(kernel().table(type).normalise, q, x.numel());
  });
  return {y, x, mean, variance};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> normed_difference_backward(
    const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
    const Tensor& mean, const Tensor& variance, double eps, bool relu, int64_t clips) {
  const int64_t channels = x.size(1);
  Tensor dboth = maps(x.size(0), 2 * channels, x), dbefore = maps(clips, channels, x);
  Tensor dweight, dbias;
  by_type(x, [&](auto type) {
    using T = decltype(type);
    const Affine affine(weight, bias, mean, variance, eps);
    auto p = normalise_problem<T>(x, affine, relu);
    const Tensor shares = single({p.tasks(), 2, channels}, x);
    p.dy = read<T>(dy), p.mean = read<>(mean), p.shares = write<>(shares);
    run(kernel().table(type).normalise_backward, p, 2 * x.numel());
    std::tie(dweight, dbias) = add_shares(shares);
    std::vector<float> along(channels), offset(channels);
    for (int64_t j = 0; j < channels; ++j) {
      const float share = affine.scale[j] / float(p.rows);
      write<>(dweight)[j] *= affine.rstd[j];
      along[j] = share * affine.rstd[j] * read<>(dweight)[j];
      offset[j] = share * read<>(dbias)[j];
    }
    DifferenceBackward<T> q{};
    q.clips = clips, q.frames = x.size(0) / clips, q.pixels = x.size(2) * x.size(3);
    q.channels = channels, q.relu = relu, q.x = p.x, q.dy = p.dy, q.mean = p.mean;
    q.scale = p.scale, q.shift = p.shift, q.along = along.data(), q.offset = offset.data();
    q.dboth = write<T>(dboth), q.dbefore = write<T>(dbefore);
    run(kernel().table(type).difference_backward, q, dboth.numel());
  });
  return {dboth, dbefore, dweight, dbias};
}

// tokens (clips, frames, height * width, channels), taps (2, 9, channels), before as one
// frame of tokens.
template <class T>
CausalShift<T> shift_problem(const Tensor& tokens, const Tensor& taps, int64_t height) {
  CausalShift<T> p{};
  p.clips = tokens.size(0), p.frames = tokens.size(1), p.channels = tokens.size(3);
  p.height = height, p.width = tokens.size(2) / height;
  p.x = read<T>(tokens), p.taps = read<>(taps);
  return p;
}

std::tuple<Tensor, Tensor> causal_shift(const Tensor& tokens, const Tensor& taps,
                                        const Tensor& before, int64_t height) {
  Tensor y = dense(tokens), kept = dense(before);
  by_type(tokens, [&](auto type) {
    using T = decltype(type);
    auto p = shift_problem<T>(tokens, taps, height);
    p.before = read<T>(before), p.y = write<T>(y), p.kept = write<T>(kept);
    run(kernel().table(type).causal_shift, p, 8 * tokens.numel());
  });
  return {y, kept};
}

std::tuple<Tensor, Tensor> causal_shift_backward(const Tensor& dy,
                                                 const std::optional<Tensor>& dkept,
                                                 const Tensor& tokens, const Tensor& taps,
                                                 int64_t height) {
  const int64_t frames = tokens.size(0) * tokens.size(1), entries = 18 * tokens.size(3);
  Tensor dx = dense(tokens), shares = single({frames, 2, entries / 2}, tokens);
  by_type(tokens, [&](auto type) {
    using T = decltype(type);
    auto p = shift_problem<T>(tokens, taps, height);
    p.dy = read<T>(dy), p.dkept = dkept ? read<T>(*dkept) : nullptr;
    p.dx = write<T>(dx), p.shares = write<>(shares);
    run(kernel().table(type).causal_shift_backward, p, 16 * tokens.numel());
  });
  auto [dnow, dlast] = add_shares(shares);
  Tensor dtaps = dense(taps);
  std::copy_n(read<>(dnow), entries / 2, write<>(dtaps));
  std::copy_n(read<>(dlast), entries / 2, write<>(dtaps) + entries / 2);
  return {dx, dtaps};
}

// x, branch (clips, ..., channels) in float; share (clips). `half`: normed in bfloat16.
template <class T>
AddNorm<T> add_norm_problem(const Tensor& x, const std::optional<Tensor>& share,
                            const Tensor& weight, const Tensor& bias, double eps) {
  AddNorm<T> p{};
  p.channels = weight.size(0), p.rows = x.numel() / p.channels, p.eps = float(eps);
  p.clip_rows = std::max<int64_t>(p.rows / std::max<int64_t>(x.size(0), 1), 1);
  p.x = read<>(x), p.share = read(share), p.weight = read<>(weight), p.bias = read<>(bias);
  return p;
}

// The sum and its norm; without a branch the norm alone.
std::vector<Tensor> add_norm(const Tensor& x, const std::optional<Tensor>& branch,
                             const std::optional<Tensor>& share, const Tensor& weight,
                             const Tensor& bias, double eps, bool half) {
  Tensor normed = at::empty(x.sizes(), x.options().dtype(half ? at::kBFloat16 : at::kFloat));
  Tensor sum = branch ? dense(x) : Tensor();
  by_type(normed, [&](auto type) {
    using T = decltype(type);
    auto p = add_norm_problem<T>(x, share, weight, bias, eps);
    p.branch = read(branch), p.sum = branch ? write<>(sum) : nullptr;
    p.normed = write<T>(normed);
    run(kernel().table(type).add_norm, p, 2 * x.numel());
  });
  return branch ? std::vector<Tensor>{sum, normed} : std::vector<Tensor>{normed};
}

// Gradients of x, weight, bias, and of the branch where there is a share.
std::vector<Tensor> add_norm_backward(const std::optional<Tensor>& dsum, const Tensor& dnormed,
                                      const Tensor& sum, const std::optional<Tensor>& share,
                                      const Tensor& weight, const Tensor& bias, double eps) {
  Tensor dx = dense(sum), dbranch = share ? dense(sum) : Tensor(), shares;
  by_type(dnormed, [&](auto type) {
    using T = decltype(type);
    auto p = add_norm_problem<T>(sum, share, weight, bias, eps);
    shares = single({p.tasks(), 2, p.channels}, sum);
    p.dsum = read(dsum), p.dnormed = read<T>(dnormed), p.dx = write<>(dx);
    p.dbranch = share ? write<>(dbranch) : nullptr, p.shares = write<>(shares);
    run(kernel().table(type).add_norm_backward, p, 4 * sum.numel());
  });
  auto [dweight, dbias] = add_shares(shares);
  std::vector<Tensor> gradients{dx, dweight, dbias};
  if (share) gradients.push_back(dbranch);
  return gradients;
}

void squared_relu(const Tensor& x) {
  by_type(x, [&](auto type) {
    using T = decltype(type);
    SquaredRelu<T> p{};
    p.entries = x.numel(), p.y = write<T>(x);
    run(kernel().table(type).squared_relu, p, p.entries);
  });
}

Tensor squared_relu_backward(const Tensor& dy, const Tensor& y) {
  Tensor dx = dense(y);
  by_type(y, [&](auto type) {
    using T = decltype(type);
    SquaredRelu<T> p{};
    p.entries = y.numel(), p.y = const_cast<T*>(read<T>(y)), p.dy = read<T>(dy);
    p.dx = write<T>(dx);
    run(kernel().table(type).squared_relu_backward, p, p.entries);
  });
  return dx;
}

template <class T>
AddGated<T> gated_problem(const Tensor& a, const Tensor& b, const std::optional<Tensor>& share) {
  AddGated<T> p{};
  p.clips = a.size(0), p.entries = a.numel() / std::max<int64_t>(p.clips, 1);
  p.a = read<T>(a), p.b = read<T>(b), p.share = read(share);
  return p;
}

Tensor add_gated(const Tensor& x, const Tensor& a, const Tensor& b,
                 const std::optional<Tensor>& share) {
  Tensor y = dense(x);
  by_type(a, [&](auto type) {
    auto p = gated_problem<decltype(type)>(a, b, share);
    p.x = read<>(x), p.y = write<>(y);
    run(kernel().table(type).add_gated, p, x.numel());
  });
  return y;
}

std::tuple<Tensor, Tensor> add_gated_backward(const Tensor& dy, const Tensor& a, const Tensor& b,
                                              const std::optional<Tensor>& share) {
  Tensor da = dense(a), db = dense(b);
  by_type(a, [&](auto type) {
    using T = decltype(type);
    auto p = gated_problem<T>(a, b, share);
    p.dy = read<>(dy), p.da = write<T>(da), p.db = write<T>(db);
    run(kernel().table(type).add_gated_backward, p, a.numel());
  });
  return {da, db};
}

// A parameter or its gradient in the other of the two types, on one thread: to wake a second
// one takes longer.
Tensor convert(const Tensor& x) {
  const bool round = x.scalar_type() == at::kFloat;
  Tensor y = at::empty(x.sizes(), x.options().dtype(round ? at::kBFloat16 : at::kFloat));
  if (round)
    kernel().round(read<>(x), write<Bfloat16>(y), x.numel());
  else
    kernel().widen(read<Bfloat16>(x), write<>(y), x.numel());
  return y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(lcr, m) {
  m.def("leaky_cell_cpu", leaky_cell);
  m.def("leaky_cell_cpu_backward", leaky_cell_backward);
  m.def("gated_norm_cpu", gated_norm);
  m.def("gated_norm_cpu_backward", gated_norm_backward);
  m.def("rotate_cpu", rotate);
  m.def("difference_cpu", difference);
  m.def("normed_difference_cpu", normed_difference);
  m.def("normed_difference_cpu_backward", normed_difference_backward);
  m.def("causal_shift_cpu", causal_shift);
  m.def("causal_shift_cpu_backward", causal_shift_backward);
  m.def("add_norm_cpu", add_norm);
  m.def("add_norm_cpu_backward", add_norm_backward);
  m.def("squared_relu_cpu_(Tensor(a!) x) -> ()", squared_relu);
  m.def("squared_relu_cpu_backward", squared_relu_backward);
  m.def("add_gated_cpu", add_gated);
  m.def("add_gated_cpu_backward", add_gated_backward);
  m.def("convert_cpu", convert);
}

}  // namespace lcr
