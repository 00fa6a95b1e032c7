// The CPU kernel's door: plain pointers, so that the kernel needs no PyTorch header and
// compiles in seconds, once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lcr {

enum class Type : int { kFloat, kDouble, kBfloat16 };

// A (batch, tokens, heads, channels) tensor whose channels lie together; strides in
// elements. A static decay has batch and token strides of 0.
struct Tensor4 {
  void* data;
  int64_t batch, token, head;
};

struct Problem {
  int64_t batch, tokens, heads;
  int key, value;
  Type type;          // of r, k, v, y and their gradients
  bool static_decay;  // w is (heads, key)
  Tensor4 r, k, v, y, dy, dr, dk, dv;
  // In the type of accumulation (double for kDouble, else float). dw is always per
  // head and batch entry: (batch, heads, key) for a static decay, like w otherwise;
  // du is (batch, heads, key).
  Tensor4 w, dw;
  const void* u;
  void* du;
};

// Bytes of scratch one thread needs.
using ScratchFunction = size_t (*)(const Problem&, bool gradient);
// Items begin..end-1 of batch * heads, item i being head i / batch of batch entry
// i % batch; `scratch` is aligned to 64 bytes.
using RunFunction = void (*)(const Problem&, int64_t begin, int64_t end, char* scratch);

struct CpuKernel {
  const char* name;
  bool (*supported)();
  ScratchFunction scratch;
  RunFunction forward, backward;
};

}  // namespace lcr
