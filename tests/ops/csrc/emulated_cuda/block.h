// A block of CUDA threads on one CPU core: every thread has a stack of its own and runs
// up to the next __syncthreads(), in ascending order and in descending order by turns,
// so that a result that is used without waiting for it is missed one way or the other.
#pragma once

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#define __device__
#define __forceinline__ inline

struct EmulatedIndex {
  int x;
};
inline EmulatedIndex threadIdx;

namespace emulated {

inline ucontext_t scheduler;
inline std::vector<ucontext_t> threads;
inline std::vector<char> finished;
inline void* function;

inline void fail(const char* what) {
  std::fprintf(stderr, "emulated CUDA: %s\n", what);
  std::abort();
}

template <class F>
void thread_main() {
  (*static_cast<F*>(function))();
  finished[threadIdx.x] = 1;
}

template <class F>
void run_block(int count, F f) {
  constexpr size_t kStack = 1 << 16;
  static std::vector<char> stacks;
  stacks.resize(count * kStack);
  threads.resize(count);
  finished.assign(count, 0);
  function = &f;
  for (int i = 0; i < count; ++i) {
    getcontext(&threads[i]);
    threads[i].uc_stack.ss_sp = stacks.data() + i * kStack;
    threads[i].uc_stack.ss_size = kStack;
    threads[i].uc_link = &scheduler;
    makecontext(&threads[i], &thread_main<F>, 0);
  }
  for (bool ascending = true; !finished[0]; ascending = !ascending) {
    for (int step = 0; step < count; ++step) {
      threadIdx.x = ascending ? step : count - 1 - step;
      swapcontext(&scheduler, &threads[threadIdx.x]);
    }
    for (char done : finished)
      if (done != finished[0]) fail("a thread ended where another waits");
  }
}

}  // namespace emulated

inline void __syncthreads() {
  swapcontext(&emulated::threads[threadIdx.x], &emulated::scheduler);
}
