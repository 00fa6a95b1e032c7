// The CUDA kernels' door. It needs no PyTorch header, so that nvcc alone compiles the
// device code; the binding holds the tensors.
#pragma once

#include <cuda_runtime_api.h>

#include "cpu_kernel.h"

namespace lcr {

// How one call is cut up and what memory it needs beside its tensors.
struct CudaPlan {
  int chunk;                // tokens per chunk
  int64_t chunks, items;    // per sequence, and in all
  int64_t local, states, passing;  // bytes of each workspace
  int64_t scratch;          // bytes, where a block's memory does not fit on the chip
  int64_t blocks;
  bool on_chip;
};

enum class CudaType : int { kFloat, kHalf, kBfloat16 };

struct CudaWorkspace {
  float *dw, *du;  // partial sums, see Work in bi_wkv_blocks.h
  void *local, *states, *passing, *scratch;
};

CudaPlan cuda_plan(const Problem& problem, CudaType type, bool gradient);
// Launches on `stream` of the current device; returns the first error.
cudaError_t cuda_run(const Problem& problem, CudaType type, bool gradient, const CudaPlan& plan,
                     const CudaWorkspace& workspace, cudaStream_t stream);

}  // namespace lcr
