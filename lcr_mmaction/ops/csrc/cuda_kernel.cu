// bi_wkv in CUDA: three launches forward, three backward (see bi_wkv_blocks.h).
#include "cuda_kernel.h"

#include <cuda_fp16.h>

#include <algorithm>

#include "bi_wkv_blocks.h"
#include "cuda_team.cuh"

namespace lcr {
namespace {

enum class Stage { kLocal, kOutput, kGradient };

// Operands of products for inputs of type In. Float16 ones become bfloat16: sums over
// tokens, and gradients under loss scaling, leave float16's range.
template <class In>
using Operand = std::conditional_t<std::is_same<In, float>::value, float, __nv_bfloat16>;
template <class In>
using CudaWork = Work<In, Operand<In>>;
template <class In>
using CudaBlock = Block<CudaTeam<Operand<In>>, In, Operand<In>>;

template <Stage STAGE, class T>
__global__ void __launch_bounds__(kThreads) chunk_kernel(const CudaWork<T> work, char* scratch,
                                                         int64_t scratch_bytes) {
  extern __shared__ __align__(128) char shared[];
  char* base = scratch ? scratch + blockIdx.x * scratch_bytes : shared;
  for (int64_t item = blockIdx.x; item < work.items(); item += gridDim.x) {
    CudaTeam<Operand<T>> team;
    ChunkMemory<Operand<T>, float> mem;
    CudaBlock<T> block(team, work, mem, base, item);
    if constexpr (STAGE == Stage::kLocal) block.local_states();
    if constexpr (STAGE == Stage::kOutput) block.output();
    if constexpr (STAGE == Stage::kGradient) block.gradients();
  }
}

// x: state entries; y: (batch entry, head); z: kind and side.
template <class T>
__global__ void __launch_bounds__(kThreads) scan_kernel(const CudaWork<T> work) {
  const int64_t entry = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  const int kind = blockIdx.z / 2, side = blockIdx.z % 2;
  if (entry >= work.state_size()) return;
  const int64_t sequences = work.batch * work.heads;
  for (int64_t s = blockIdx.y; s < sequences; s += gridDim.y)
    scan_state(work, kind, side, s, entry);
}

template <class In>
Strided<In> strided(const Tensor4& x) {
  return {static_cast<In*>(x.data), x.batch, x.token, x.head};
}

template <class T>
CudaWork<T> make_work(const Problem& p, bool gradient, int chunk) {
  CudaWork<T> work{};
  work.batch = p.batch, work.tokens = p.tokens, work.heads = p.heads;
  work.key = p.key, work.value = p.value;
  work.keys = round_up(p.key, 16), work.values = round_up(p.value, 16);
  work.chunk = chunk, work.chunks = (p.tokens + chunk - 1) / chunk;
  work.static_decay = p.static_decay, work.gradient = gradient;
  work.r = strided<const T>(p.r), work.k = strided<const T>(p.k), work.v = strided<const T>(p.v);
  work.dy = strided<const T>(p.dy), work.w = strided<const float>(p.w);
  work.u = static_cast<const float*>(p.u);
  work.y = strided<T>(p.y), work.dr = strided<T>(p.dr), work.dk = strided<T>(p.dk);
  work.dv = strided<T>(p.dv);
  return work;
}

template <class T>
CudaPlan plan_for(const Problem& p, bool gradient) {
  int device = 0, limit = 0, chip = 0, reserved = 0, processors = 1;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  cudaDeviceGetAttribute(&chip, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  cudaDeviceGetAttribute(&reserved, cudaDevAttrReservedSharedMemoryPerBlock, device);
  cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  CudaPlan plan{};
  int64_t bytes = 0;
  // The longest chunk that leaves room for a second block on the chip, if any does.
  for (const int64_t room : {int64_t(chip / 2 - reserved), int64_t(limit), INT64_MAX}) {
    plan.on_chip = room <= limit;
    for (const int chunk : {64, 32, 16}) {
      const CudaWork<T> work = make_work<T>(p, gradient, chunk);
      bytes = CudaBlock<T>::bytes(work);
      plan.chunk = chunk;
      plan.chunks = work.chunks;
      plan.items = work.items();
      const int64_t states = plan.items * work.state_size() * (gradient ? 4 : 2);
      plan.local = states * sizeof(float), plan.states = states * sizeof(Operand<T>);
      plan.passing = plan.items * work.keys * sizeof(float);
      const bool wasteful = chunk > 16 && p.tokens <= chunk / 2;
      if (bytes <= room && !wasteful) {
        plan.blocks = plan.on_chip ? std::min<int64_t>(plan.items, INT32_MAX)
                                   : std::min<int64_t>(plan.items, 2 * processors);
        plan.scratch = plan.on_chip ? 0 : plan.blocks * bytes;
        return plan;
      }
    }
  }
  return plan;
}

template <Stage STAGE, class T>
cudaError_t launch(const CudaWork<T>& work, const CudaPlan& plan, char* scratch,
                   cudaStream_t stream) {
  const int64_t bytes = CudaBlock<T>::bytes(work);
  const size_t shared = plan.on_chip ? bytes : 0;
  const auto kernel = chunk_kernel<STAGE, T>;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared));
  if (error != cudaSuccess) return error;
  kernel<<<dim3(unsigned(plan.blocks)), kThreads, shared, stream>>>(
      work, plan.on_chip ? nullptr : scratch, bytes);
  return cudaGetLastError();
}

template <class T>
cudaError_t run_as(const Problem& p, bool gradient, const CudaPlan& plan,
                   const CudaWorkspace& space, cudaStream_t stream) {
  CudaWork<T> work = make_work<T>(p, gradient, plan.chunk);
  work.dw = space.dw, work.du = space.du;
  work.local = static_cast<float*>(space.local);
  work.states = static_cast<Operand<T>*>(space.states);
  work.passing = static_cast<float*>(space.passing);
  char* scratch = static_cast<char*>(space.scratch);
  if (plan.chunks > 1) {  // one chunk has nobody to pass a state to
    cudaError_t error = launch<Stage::kLocal, T>(work, plan, scratch, stream);
    if (error != cudaSuccess) return error;
    const unsigned across = unsigned((work.state_size() + kThreads - 1) / kThreads);
    const unsigned sequences = unsigned(std::min<int64_t>(work.batch * work.heads, 65535));
    scan_kernel<T><<<dim3(across, sequences, gradient ? 4 : 2), kThreads, 0, stream>>>(work);
    error = cudaGetLastError();
    if (error != cudaSuccess) return error;
  }
  return gradient ? launch<Stage::kGradient, T>(work, plan, scratch, stream)
                  : launch<Stage::kOutput, T>(work, plan, scratch, stream);
}

}  // namespace

CudaPlan cuda_plan(const Problem& problem, CudaType type, bool gradient) {
  switch (type) {
    case CudaType::kHalf: return plan_for<__half>(problem, gradient);
    case CudaType::kBfloat16: return plan_for<__nv_bfloat16>(problem, gradient);
    default: return plan_for<float>(problem, gradient);
  }
}

cudaError_t cuda_run(const Problem& problem, CudaType type, bool gradient, const CudaPlan& plan,
                     const CudaWorkspace& workspace, cudaStream_t stream) {
  switch (type) {
    case CudaType::kHalf: return run_as<__half>(problem, gradient, plan, workspace, stream);
    case CudaType::kBfloat16:
      return run_as<__nv_bfloat16>(problem, gradient, plan, workspace, stream);
    default: return run_as<float>(problem, gradient, plan, workspace, stream);
  }
}

}  // namespace lcr
