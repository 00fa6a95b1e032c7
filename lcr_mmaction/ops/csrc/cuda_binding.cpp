// The CUDA kernels as PyTorch operators. Inputs have been checked by the Python side.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <tuple>

#include "cuda_kernel.h"

namespace lcr {
namespace {

using at::Tensor;

Tensor4 view(const Tensor& x) {
  if (x.dim() == 4) return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
  return {x.data_ptr(), 0, 0, x.stride(0)};
}
Tensor prepared(const Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

struct Call {
  Tensor r, k, v, w, u;
  Problem problem{};
  CudaType type;

  Call(const Tensor& r_, const Tensor& k_, const Tensor& v_, const Tensor& w_,
       const Tensor& u_) {
    r = prepared(r_), k = prepared(k_), v = prepared(v_);
    w = prepared(w_.to(at::kFloat)), u = u_.to(at::kFloat).contiguous();
    problem.batch = r.size(0), problem.tokens = r.size(1), problem.heads = r.size(2);
    problem.key = int(r.size(3)), problem.value = int(v.size(3));
    problem.static_decay = w.dim() == 2;
    problem.r = view(r), problem.k = view(k), problem.v = view(v), problem.w = view(w);
    problem.u = u.data_ptr();
    type = r.scalar_type() == at::kHalf       ? CudaType::kHalf
           : r.scalar_type() == at::kBFloat16 ? CudaType::kBfloat16
                                              : CudaType::kFloat;
  }

  Tensor bytes(int64_t count) const { return at::empty({count}, r.options().dtype(at::kByte)); }

  // Returns the partial sums of dw and du, one row per chunk (dw only if static).
  std::tuple<Tensor, Tensor> run(bool gradient, const Tensor& dw_per_token = {}) const {
    const CudaPlan plan = cuda_plan(problem, type, gradient);
    const Tensor local = bytes(plan.local), states = bytes(plan.states);
    const Tensor passing = bytes(plan.passing), scratch = bytes(plan.scratch);
    Tensor dw, du;
    CudaWorkspace space{};
    if (gradient) {
      du = at::empty({problem.batch, problem.heads, plan.chunks, problem.key}, u.options());
      dw = dw_per_token.defined() ? dw_per_token : at::empty_like(du);
      space.du = du.data_ptr<float>(), space.dw = dw.data_ptr<float>();
    }
    space.local = local.data_ptr(), space.states = states.data_ptr();
    space.passing = passing.data_ptr(), space.scratch = scratch.data_ptr();
    C10_CUDA_CHECK(
        cuda_run(problem, type, gradient, plan, space, c10::cuda::getCurrentCUDAStream()));
    return {dw, du};
  }
};

Tensor forward(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& w,
               const Tensor& u) {
  const c10::cuda::CUDAGuard guard(r.device());
  Call call(r, k, v, w, u);
  Tensor y = at::empty(v.sizes(), v.options());
  call.problem.y = view(y);
  call.run(false);
  return y;
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> backward(const Tensor& dy, const Tensor& r,
                                                            const Tensor& k, const Tensor& v,
                                                            const Tensor& w, const Tensor& u) {
  const c10::cuda::CUDAGuard guard(r.device());
  Call call(r, k, v, w, u);
  const Tensor dy_ = prepared(dy);
  Tensor dr = at::empty(r.sizes(), r.options()), dk = at::empty_like(dr);
  Tensor dv = at::empty(v.sizes(), v.options());
  Problem& p = call.problem;
  p.dy = view(dy_), p.dr = view(dr), p.dk = view(dk), p.dv = view(dv);
  Tensor per_token;
  if (!p.static_decay) per_token = at::empty(w.sizes(), call.u.options());
  auto [dw, du] = call.run(true, per_token);
  if (p.static_decay) dw = dw.sum(at::IntArrayRef{0, 2});
  return {dr, dk, dv, dw.to(w.scalar_type()),
          du.sum(at::IntArrayRef{0, 2}).to(u.scalar_type())};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(lcr, m) {
  m.def("bi_wkv_cuda(Tensor r, Tensor k, Tensor v, Tensor w, Tensor u) -> Tensor", forward);
  m.def(
      "bi_wkv_cuda_backward(Tensor dy, Tensor r, Tensor k, Tensor v, Tensor w, Tensor u) -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor)",
      backward);
}

}  // namespace lcr
