// Tensor cores: 16 x 16 products, done by a warp's first thread. What the hardware asks
// for is checked: 32-byte alignment, and rows of whole 16 bytes.
#pragma once

#include <cstdint>
#include <type_traits>

#include "block.h"

namespace nvcuda {
namespace wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = row_major>
struct fragment {
  float x[16][16];
};

inline bool idle() { return threadIdx.x % 32 != 0; }

template <class T>
void check(const T* p, unsigned ld) {
  if (reinterpret_cast<uintptr_t>(p) % 32) emulated::fail("a tile is not aligned");
  if (ld * sizeof(T) % 16) emulated::fail("rows are not aligned");
}

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& f, const T* p, unsigned ld,
                      layout_t = mem_row_major) {
  if (idle()) return;
  check(p, ld);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j)
      f.x[i][j] = float(std::is_same<Layout, row_major>::value ? p[i * ld + j] : p[j * ld + i]);
}

template <class F>
void fill_fragment(F& f, float value) {
  if (idle()) return;
  for (auto& row : f.x)
    for (float& x : row) x = value;
}

template <class D, class A, class B>
void mma_sync(D& d, const A& a, const B& b, const D& c) {
  if (idle()) return;
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      float sum = c.x[i][j];
      for (int k = 0; k < 16; ++k) sum += a.x[i][k] * b.x[k][j];
      d.x[i][j] = sum;
    }
}

template <class F>
void store_matrix_sync(float* p, const F& f, unsigned ld, layout_t) {
  if (idle()) return;
  check(p, ld);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) p[i * ld + j] = f.x[i][j];
}

}  // namespace wmma
}  // namespace nvcuda
