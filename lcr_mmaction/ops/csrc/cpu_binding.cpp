// The CPU kernel as PyTorch operators. Inputs have been checked by the Python side.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "cpu_kernel.h"
#include "cpu_threads.h"

namespace lcr {

// Whichever of these were compiled; the build says so.
extern const CpuKernel cpu_kernel_avx512, cpu_kernel_avx2, cpu_kernel_generic;

namespace {

using at::Tensor;

const CpuKernel& kernel() {
  static const CpuKernel& chosen = []() -> const CpuKernel& {
    const CpuKernel* candidates[] = {
#if defined(LCR_WITH_AVX512)
        &cpu_kernel_avx512,
#endif
#if defined(LCR_WITH_AVX2)
        &cpu_kernel_avx2,
#endif
#if defined(LCR_WITH_GENERIC)
        &cpu_kernel_generic,
#endif
    };
    for (const CpuKernel* candidate : candidates)
      if (candidate->supported()) return *candidate;
    TORCH_CHECK(false, "bi_wkv: the CPU kernel was compiled for another processor");
  }();
  return chosen;
}

Tensor4 view(const Tensor& x) {
  if (x.dim() == 4) return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
  return {x.data_ptr(), 0, 0, x.stride(0)};
}

// Float16 is computed as float32: the kernel itself knows the other three.
at::ScalarType kernel_type(const Tensor& x) {
  return x.scalar_type() == at::kHalf ? at::kFloat : x.scalar_type();
}
at::ScalarType accumulation_type(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}
Tensor prepared(const Tensor& x, at::ScalarType type) {
  Tensor y = x.to(type);
  return y.stride(-1) == 1 ? y : y.contiguous();
}

char* aligned(void* data) {
  return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(data) + 63) / 64 * 64);
}

// Memory of the calling thread, kept from call to call: fresh pages would cost more
// than the work of a short sequence.
char* scratch(size_t bytes) {
  struct Memory {
    char* data = nullptr;
    size_t size = 0;
    ~Memory() { std::free(data); }
  };
  thread_local Memory memory;
  if (bytes > memory.size) {
    std::free(memory.data);
    memory.size = (bytes + 63) / 64 * 64;
    memory.data = static_cast<char*>(std::aligned_alloc(64, memory.size));
    if (!memory.data) memory.size = 0;
    TORCH_CHECK(memory.data, "bi_wkv: could not allocate ", bytes, " bytes of scratch memory");
  }
  return memory.data;
}

// The threads that came to the latest call of this thread.
thread_local int64_t threads_that_came = 0;

struct Call {
  Tensor r, k, v, w, u;
  Problem problem{};

  Call(const Tensor& r_, const Tensor& k_, const Tensor& v_, const Tensor& w_,
       const Tensor& u_) {
    const auto type = kernel_type(r_), accumulation = accumulation_type(r_);
    r = prepared(r_, type), k = prepared(k_, type), v = prepared(v_, type);
    w = prepared(w_, accumulation), u = u_.to(accumulation).contiguous();
    problem.batch = r.size(0), problem.tokens = r.size(1), problem.heads = r.size(2);
    problem.key = int(r.size(3)), problem.value = int(v.size(3));
    problem.type = type == at::kDouble     ? Type::kDouble
                   : type == at::kBFloat16 ? Type::kBfloat16
                                           : Type::kFloat;
    problem.static_decay = w.dim() == 2;
    problem.r = view(r), problem.k = view(k), problem.v = view(v), problem.w = view(w);
    problem.u = u.data_ptr();
  }

  // Every thread gets equally many whole sequences; what is left is cut up for all.
  void run(bool gradient) const {
    const Sizes sizes = kernel().sizes(problem, gradient);
    const int64_t sequences = problem.batch * problem.heads;
    const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
    const int64_t cut = sizes.tasks[kShare] > 1 ? sequences % threads : 0;
    const Tensor states = at::empty({int64_t(sizes.states) * cut + 64}, at::kByte);
    CpuWork work{problem, gradient, sizes, sequences - cut, cut, aligned(states.data_ptr())};
    std::mutex mutex;
    std::set<std::thread::id> came;
    on_threads(cut ? threads : std::min(threads, sequences), [&] {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        came.insert(std::this_thread::get_id());
      }
      kernel().run(work, scratch(sizes.worker + sizes.states));
    });
    threads_that_came = int64_t(came.size());
  }
};

Tensor forward(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& w,
               const Tensor& u) {
  Call call(r, k, v, w, u);
  Tensor y = at::empty(v.sizes(), call.v.options());
  call.problem.y = view(y);
  call.run(false);
  return y.to(v.scalar_type());
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> backward(const Tensor& dy, const Tensor& r,
                                                            const Tensor& k, const Tensor& v,
                                                            const Tensor& w, const Tensor& u) {
  Call call(r, k, v, w, u);
  Problem& p = call.problem;
  const Tensor dy_ = prepared(dy, call.r.scalar_type());
  Tensor dr = at::empty(r.sizes(), call.r.options()), dk = at::empty_like(dr);
  Tensor dv = at::empty(v.sizes(), call.r.options());
  Tensor du = at::empty(u.sizes(), call.u.options());
  Tensor dw = at::empty(w.sizes(), call.w.options());
  const int64_t chunks = kernel().sizes(p, true).tasks[kShare];
  const Tensor du_shares = at::empty({p.batch, p.heads, chunks, p.key}, call.u.options());
  const Tensor dw_shares = p.static_decay ? at::empty_like(du_shares) : du_shares;
  p.dy = view(dy_), p.dr = view(dr), p.dk = view(dk), p.dv = view(dv), p.dw = view(dw);
  p.du_shares = du_shares.data_ptr(), p.dw_shares = dw_shares.data_ptr();
  call.run(true);
  kernel().add_shares(p, du_shares.data_ptr(), du.data_ptr());
  if (p.static_decay) kernel().add_shares(p, dw_shares.data_ptr(), dw.data_ptr());
  return {dr.to(r.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type()),
          dw.to(w.scalar_type()), du.to(u.scalar_type())};
}

std::string instruction_set() { return kernel().name; }
int64_t threads_of_last_call() { return threads_that_came; }

}  // namespace

TORCH_LIBRARY_FRAGMENT(lcr, m) {
  m.def("bi_wkv_cpu(Tensor r, Tensor k, Tensor v, Tensor w, Tensor u) -> Tensor", forward);
  m.def(
      "bi_wkv_cpu_backward(Tensor dy, Tensor r, Tensor k, Tensor v, Tensor w, Tensor u) -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor)",
      backward);
  m.def("cpu_instruction_set() -> str", instruction_set);
  m.def("cpu_threads_of_last_call() -> int", threads_of_last_call);
}

}  // namespace lcr
