// Runs the block code of the CUDA kernels on a CPU, one thread and one block after the
// other, so that its indices and formulas are tested without a GPU. Operands of matrix
// products are rounded to bfloat16 on request, as on tensor cores.
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "bi_wkv_blocks.h"

namespace lcr {

// bfloat16, as wide as on the GPU.
struct Half {
  uint16_t bits;
  Half() = default;
  explicit Half(float x) {
    uint32_t all;
    std::memcpy(&all, &x, sizeof(all));
    bits = uint16_t((all + 0x7fff + ((all >> 16) & 1)) >> 16);
  }
  operator float() const {
    const uint32_t all = uint32_t(bits) << 16;
    float x;
    std::memcpy(&x, &all, sizeof(x));
    return x;
  }
};

template <class T>
struct EmulatedTeam {
  using Acc = float;
  using Op = T;
  static constexpr int kLeaf = 16;
  static constexpr bool kDirectLeaf = false;

  // Last to first, unlike the CPU's own order: no entry may need another's result.
  template <class F>
  void elements(int m, int n, F f) {
    for (int at = m * n - 1; at >= 0; --at) f(at / n, at % n);
  }
  template <class F>
  void rows(int m, F f) {
    for (int i = m - 1; i >= 0; --i) f(i);
  }
  template <class F>
  void scan(int m, int n, Border border, bool inward, F f) {
    for (int at = 0; at < 2 * n; ++at) {
      const bool up = at >= n;
      float carry = 0;
      for (int step = 0; step < m; ++step) {
        const int i = up ? step : m - 1 - step;
        if (!border.scanned(i, up, inward)) continue;
        if (border.begins(i, up)) carry = 0;
        f(i, at % n, carry);
      }
    }
  }
  template <bool TA, bool TB, bool ADD, class F>
  void products(int count, int m, int n, F f) {
    for (int at = 0; at < count; ++at) {
      const Product<T, float> p = f(at);
      if (!p.m) continue;
      // What tensor cores ask for: whole tiles, aligned to 32 bytes.
      if (p.m % 16 || p.n % 16 || p.k % 16 || p.m > m || p.n > n) std::abort();
      if (p.lda % 8 || p.ldb % 8 || p.ldc % 4) std::abort();
      for (const void* x : {(const void*)p.a, (const void*)p.b, (const void*)p.c})
        if (reinterpret_cast<uintptr_t>(x) % 32) std::abort();
      for (int i = 0; i < p.m; ++i)
        for (int j = 0; j < p.n; ++j) {
          float sum = ADD ? p.c[i * p.ldc + j] : 0.0f;
          for (int k = 0; k < p.k; ++k)
            sum += float(p.a[TA ? k * p.lda + i : i * p.lda + k]) *
                   float(p.b[TB ? j * p.ldb + k : k * p.ldb + j]);
          p.c[i * p.ldc + j] = sum;
        }
    }
  }
};

// Memory filled with NaN, aligned like a block's.
struct Poisoned {
  char* data;
  explicit Poisoned(int64_t bytes) {
    data = static_cast<char*>(std::aligned_alloc(128, (bytes + 127) / 128 * 128));
    std::memset(data, 0xff, bytes);
  }
  ~Poisoned() { std::free(data); }
};

template <class T>
void run(int64_t batch, int64_t tokens, int64_t heads, int key, int value, int chunk,
         bool static_decay, const float* const* inputs, float* const* outputs) {
  Work<T, T> work{};
  work.batch = batch, work.tokens = tokens, work.heads = heads;
  work.key = key, work.value = value;
  work.keys = round_up(key, 16), work.values = round_up(value, 16);
  work.chunk = chunk, work.chunks = (tokens + chunk - 1) / chunk;
  work.static_decay = static_decay, work.gradient = outputs[1] != nullptr;
  const int64_t by_key = batch * tokens * heads * key, by_value = batch * tokens * heads * value;
  auto strides = [&](auto* data, int channels) {
    return Strided<std::remove_pointer_t<decltype(data)>>{data, tokens * heads * channels,
                                                          heads * channels, channels};
  };
  std::vector<T> r(inputs[0], inputs[0] + by_key), k(inputs[1], inputs[1] + by_key);
  std::vector<T> v(inputs[2], inputs[2] + by_value), dy(inputs[5], inputs[5] + by_value);
  work.r = strides((const T*)r.data(), key), work.k = strides((const T*)k.data(), key);
  work.v = strides((const T*)v.data(), value), work.dy = strides((const T*)dy.data(), value);
  work.w = strides(inputs[3], key), work.u = inputs[4];
  if (static_decay) work.w = {inputs[3], 0, 0, key};
  std::vector<T> y(by_value), dr(by_key), dk(by_key), dv(by_value);
  work.y = strides(y.data(), value), work.dr = strides(dr.data(), key);
  work.dk = strides(dk.data(), key), work.dv = strides(dv.data(), value);
  const int64_t states = work.items() * work.state_size() * (work.gradient ? 4 : 2);
  Poisoned local(states * 4), entering(states * sizeof(T)), passing(work.items() * work.keys * 4);
  work.local = (float*)local.data, work.states = (T*)entering.data;
  work.passing = (float*)passing.data, work.dw = outputs[4], work.du = outputs[5];

  using EmulatedBlock = Block<EmulatedTeam<T>, T, T>;
  const int64_t bytes = EmulatedBlock::bytes(work);
  auto each = [&](auto stage) {
    for (int64_t item = work.items() - 1; item >= 0; --item) {
      Poisoned memory(bytes);
      EmulatedTeam<T> team;
      ChunkMemory<T, float> mem;
      EmulatedBlock block(team, work, mem, memory.data, item);
      stage(block);
    }
  };
  each([](EmulatedBlock& block) { block.local_states(); });
  for (int side = 0; side < (work.gradient ? 4 : 2); ++side)
    for (int64_t s = 0; s < batch * heads; ++s)
      for (int64_t e = 0; e < work.state_size(); ++e) scan_state(work, side / 2, side % 2, s, e);
  if (work.gradient) {
    each([](EmulatedBlock& block) { block.gradients(); });
    for (int64_t i = 0; i < by_key; ++i) outputs[1][i] = dr[i], outputs[2][i] = dk[i];
    for (int64_t i = 0; i < by_value; ++i) outputs[3][i] = dv[i];
  } else {
    each([](EmulatedBlock& block) { block.output(); });
    for (int64_t i = 0; i < by_value; ++i) outputs[0][i] = y[i];
  }
}

}  // namespace lcr

extern "C" void run_blocks(int64_t batch, int64_t tokens, int64_t heads, int key, int value,
                           int chunk, int static_decay, int rounded, const float* const* inputs,
                           float* const* outputs) {
  auto f = rounded ? lcr::run<lcr::Half> : lcr::run<float>;
  f(batch, tokens, heads, key, value, chunk, static_decay, inputs, outputs);
}
