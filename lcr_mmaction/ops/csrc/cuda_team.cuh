// A block of CUDA threads as a team (see bi_wkv_chunk.h). Matrix products go 16 x 16
// tile by tile, a warp each: on the tensor cores for bfloat16 operands, and as float32
// multiply-adds for float32 ones, whose accuracy the tensor cores lack.
#pragma once

#include <cuda_bf16.h>
#include <mma.h>

#include <type_traits>

#include "bi_wkv_chunk.h"

namespace lcr {
inline namespace LCR_ISA {

constexpr int kThreads = 256;

template <class Op_>
struct CudaTeam {
  using Acc = float;
  using Op = Op_;
  static constexpr int kLeaf = 16;
  static constexpr bool kDirectLeaf = false;

  template <class F>
  __device__ __forceinline__ void elements(int m, int n, F f) {
    for (int at = threadIdx.x; at < m * n; at += kThreads) f(at / n, at % n);
    __syncthreads();
  }
  template <class F>
  __device__ __forceinline__ void rows(int m, F f) {
    for (int i = threadIdx.x; i < m; i += kThreads) f(i);
    __syncthreads();
  }
  template <class F>
  __device__ __forceinline__ void add_columns(int m, int n, Acc* out, F f) {
    for (int j = threadIdx.x; j < n; j += kThreads) {
      Acc sum = 0;
      for (int i = 0; i < m; ++i) sum += f(i, j);
      out[j] += sum;
    }
    __syncthreads();
  }
  // The two directions go through different tokens, so both run at once.
  template <class F>
  __device__ __forceinline__ void scan(int m, int n, Border border, bool inward, F f) {
    for (int at = threadIdx.x; at < 2 * n; at += kThreads) {
      const bool up = at < n;
      const int j = up ? at : at - n;
      Acc carry = 0;
      for (int step = 0; step < m; ++step) {
        const int i = up ? step : m - 1 - step;
        if (!border.scanned(i, up, inward)) continue;
        if (border.begins(i, up)) carry = 0;
        f(i, j, carry);
      }
    }
    __syncthreads();
  }

  template <bool TA, bool TB, bool ADD, class F>
  __device__ __forceinline__ void products(int count, int m, int n, F f) {
    const int across = (n + 15) / 16, tiles = (m + 15) / 16 * across;
    for (int at = threadIdx.x / 32; at < count * tiles; at += kThreads / 32) {
      const Product<Op, Acc> p = f(at / tiles);
      const int i = at % tiles / across * 16, j = at % across * 16;
      if (i < p.m && j < p.n) tile<TA, TB, ADD>(p, i, j);
    }
    __syncthreads();
  }

  template <bool TA, bool TB, bool ADD>
  __device__ __forceinline__ static void tile(const Product<Op, Acc>& p, int i, int j) {
    if constexpr (std::is_same<Op, float>::value) {
      scalar_tile<TA, TB, ADD>(p, i, j);
    } else {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
      tensor_tile<TA, TB, ADD>(p, i, j);
#else  // no tensor cores for bfloat16
      scalar_tile<TA, TB, ADD>(p, i, j);
#endif
    }
  }

  template <bool TA, bool TB, bool ADD>
  __device__ __forceinline__ static void tensor_tile(const Product<Op, Acc>& p, int i, int j) {
    using namespace nvcuda;
    using LayoutA = std::conditional_t<TA, wmma::col_major, wmma::row_major>;
    using LayoutB = std::conditional_t<TB, wmma::col_major, wmma::row_major>;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, Op, LayoutA> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, Op, LayoutB> b;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
    float* out = p.c + i * p.ldc + j;
    if (ADD)
      wmma::load_matrix_sync(c, out, p.ldc, wmma::mem_row_major);
    else
      wmma::fill_fragment(c, 0.0f);
    for (int k = 0; k < p.k; k += 16) {
      wmma::load_matrix_sync(a, p.a + (TA ? k * p.lda + i : i * p.lda + k), p.lda);
      wmma::load_matrix_sync(b, p.b + (TB ? j * p.ldb + k : k * p.ldb + j), p.ldb);
      wmma::mma_sync(c, a, b, c);
    }
    wmma::store_matrix_sync(out, c, p.ldc, wmma::mem_row_major);
  }

  // 2 x 4 entries a lane.
  template <bool TA, bool TB, bool ADD>
  __device__ __forceinline__ static void scalar_tile(const Product<Op, Acc>& p, int i, int j) {
    const int lane = threadIdx.x % 32;
    i += lane / 4 * 2;
    j += lane % 4 * 4;
    float sum[2][4] = {};
    for (int k = 0; k < p.k; ++k) {
      float a[2], b[4];
#pragma unroll
      for (int x = 0; x < 2; ++x) a[x] = float(p.a[TA ? k * p.lda + i + x : (i + x) * p.lda + k]);
#pragma unroll
      for (int y = 0; y < 4; ++y) b[y] = float(p.b[TB ? (j + y) * p.ldb + k : k * p.ldb + j + y]);
#pragma unroll
      for (int x = 0; x < 2; ++x)
#pragma unroll
        for (int y = 0; y < 4; ++y) sum[x][y] += a[x] * b[y];
    }
#pragma unroll
    for (int x = 0; x < 2; ++x)
#pragma unroll
      for (int y = 0; y < 4; ++y) {
        float* out = p.c + (i + x) * p.ldc + j + y;
        *out = ADD ? *out + sum[x][y] : sum[x][y];
      }
  }
};

}  // inline namespace LCR_ISA
}  // namespace lcr
