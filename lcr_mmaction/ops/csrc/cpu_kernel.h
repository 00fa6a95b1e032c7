// The CPU kernel's door: plain pointers, so that the kernel needs no PyTorch header and
// compiles in seconds, once per instruction set.
#pragma once

#include <atomic>
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
  // In the type of accumulation (double for kDouble, else float). dw is like w, or
  // unused for a static decay.
  Tensor4 w, dw;
  const void* u;
  // What the chunks of all sequences give to the gradients of u and of a static w:
  // (batch, heads, chunks, key).
  void *du_shares, *dw_shares;
};

// What a call is cut into. A sequence is one (batch entry, head); number i is head
// i / batch of batch entry i % batch. Its chunks are cut by its length alone, and every
// sum is taken in one order, so that no result depends on who did what.
enum Step : int {
  kWhole,   // a task is a sequence, from end to end
  kShare,   // a task is a chunk: what it adds to the states that leave it
  kCarry,   // a task is some rows of a sequence's states: they go from chunk to chunk
  kFinish,  // a task is a chunk: its output or gradients, from the states that enter it
  kSteps
};

struct Sizes {
  int64_t tasks[kSteps];  // of one sequence; those of kShare are its chunks
  size_t worker, states;  // bytes of scratch: of a thread, and of a sequence's states
};

// One call, for threads to take tasks from, in the order of the steps: sequences done
// whole first, then the steps of those after them, each once the step before is done.
struct CpuWork {
  const Problem& problem;
  bool gradient;
  Sizes sizes;
  int64_t whole, cut;  // sequences
  char* states;        // of those cut, one after the other
  std::atomic<int64_t> next{0};  // the first task that nobody has taken
  std::atomic<int64_t> done[kSteps]{};
  // Of cut sequences, every second thread takes chunks from the end, so that a thread
  // finds in its own cache what it has read and written of them in the step before.
  std::atomic<int64_t> threads{0}, from_front[kSteps]{}, from_end[kSteps]{};

  int64_t tasks(int step) const { return (step ? cut : whole) * sizes.tasks[step]; }
};

struct CpuKernel {
  const char* name;
  bool (*supported)();
  Sizes (*sizes)(const Problem&, bool gradient);
  // Takes tasks until there are no more. Several threads may do so at once, each with
  // `scratch` of its own, worker + states bytes aligned to 64.
  void (*run)(CpuWork&, char* scratch);
  // out (heads, key) = sum over batch entries and chunks of (batch, heads, chunks, key).
  void (*add_shares)(const Problem&, const void* shares, void* out);
};

}  // namespace lcr
