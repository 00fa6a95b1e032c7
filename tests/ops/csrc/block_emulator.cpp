// Runs the blocks of the CUDA kernels on a CPU, thread by thread, so that their indices,
// their barriers and their formulas are tested without a GPU. The folder emulated_cuda
// stands in for CUDA's own headers.
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "emulated_cuda/block.h"

#include "bi_wkv_blocks.h"
#include "cuda_team.cuh"

namespace lcr {

// Memory filled with NaN, aligned like a block's.
struct Poisoned {
  char* data;
  explicit Poisoned(int64_t bytes) {
    data = static_cast<char*>(std::aligned_alloc(128, (bytes + 127) / 128 * 128));
    std::memset(data, 0xff, bytes);
  }
  ~Poisoned() { std::free(data); }
};

// Tensors are float32 and hold what fits their type; `Op` is the type of operands.
template <class Op>
void run(int64_t batch, int64_t tokens, int64_t heads, int key, int value, int chunk,
         bool static_decay, const float* const* inputs, float* const* outputs) {
  using T = float;
  Work<T, Op> work{};
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
  Poisoned local(states * 4), entering(states * sizeof(Op)), passing(work.items() * work.keys * 4);
  work.local = (float*)local.data, work.states = (Op*)entering.data;
  work.passing = (float*)passing.data, work.dw = outputs[4], work.du = outputs[5];

  using EmulatedBlock = Block<CudaTeam<Op>, T, Op>;
  const int64_t bytes = EmulatedBlock::bytes(work);
  auto each = [&](auto stage) {
    for (int64_t item = work.items() - 1; item >= 0; --item) {
      Poisoned memory(bytes);
      emulated::run_block(kThreads, [&] {
        CudaTeam<Op> team;
        ChunkMemory<Op, float> mem;
        EmulatedBlock block(team, work, mem, memory.data, item);
        stage(block);
      });
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
  auto f = rounded ? lcr::run<__nv_bfloat16> : lcr::run<float>;
  f(batch, tokens, heads, key, value, chunk, static_decay, inputs, outputs);
}
