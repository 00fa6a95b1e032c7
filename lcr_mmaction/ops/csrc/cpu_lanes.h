// A register's worth of activations, widened to float32, and their arithmetic. Loops over
// it are vector code with every compiler, bfloat16 included.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "cpu_support.h"

namespace lcr {
inline namespace LCR_ISA {

#if defined(__AVX512F__)
constexpr int64_t kLanes = 16;
#elif defined(__AVX2__)
constexpr int64_t kLanes = 8;
#else
constexpr int64_t kLanes = 4;
#endif
typedef float Lanes __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Bits __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));

inline Lanes load(const float* x) {
  Lanes lanes;
  std::memcpy(&lanes, x, sizeof(lanes));
  return lanes;
}
inline Lanes load(const Bfloat16* x) {
  Halves halves;
  std::memcpy(&halves, x, sizeof(halves));
  return Lanes(__builtin_convertvector(halves, Bits) << 16);
}
inline void store(const Lanes& lanes, float* x) { std::memcpy(x, &lanes, sizeof(lanes)); }
inline void store(const Lanes& lanes, Bfloat16* x) {
  const Bits bits = Bits(lanes), rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Bits number = Bits(lanes == lanes);  // all ones, or none for NaN
  const Halves halves = __builtin_convertvector((rounded & number) | (0x7fc0 & ~number), Halves);
  std::memcpy(x, &halves, sizeof(halves));
}

// The first `count` of them alone; zeros behind.
template <class T>
inline Lanes load(const T* x, int64_t count) {
  if (count == kLanes) return load(x);
  T values[kLanes] = {};
  std::copy_n(x, count, values);
  return load(values);
}
template <class T>
inline void store(const Lanes& lanes, T* x, int64_t count) {
  if (count == kLanes) return store(lanes, x);
  T values[kLanes];
  store(lanes, values);
  std::copy_n(values, count, x);
}
inline Lanes first(const Lanes& lanes, int64_t count) {
  if (count == kLanes) return lanes;
  float values[kLanes] = {};
  std::memcpy(values, &lanes, count * sizeof(float));
  return load(values);
}

// Calls f(j, count) for `size` entries, a register's worth at a time.
template <class F>
inline __attribute__((always_inline)) void by_lanes(int64_t size, F f) {
  int64_t j = 0;
  for (; j + kLanes <= size; j += kLanes) f(j, kLanes);
  if (j < size) f(j, size - j);
}

inline float sum_of(const Lanes& lanes) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(__m512(lanes));
#else
  float sum = 0;
  for (int64_t j = 0; j < kLanes; ++j) sum += lanes[j];
  return sum;
#endif
}

// Not less than 0 but for NaN, which stays.
inline Lanes rectify(const Lanes& x) { return Lanes(Bits(x) & ~Bits(x <= 0.0f)); }
// The gradient where that lets it through.
inline Lanes rectify(const Lanes& gradient, const Lanes& x) {
  return Lanes(Bits(gradient) & ~Bits(x <= 0.0f));
}

// Between -most and most; NaN stays.
inline Lanes clamp(const Lanes& x, float most) {
#if defined(__AVX512F__)
  const __m512 raised = _mm512_max_ps(_mm512_set1_ps(-most), __m512(x));
  return Lanes(_mm512_min_ps(_mm512_set1_ps(most), raised));
#else
  const Lanes high = Lanes{} + most, low = -high, raised = x < low ? low : x;
  return raised > high ? high : raised;
#endif
}

// 1 / x to about one unit in the last place. A division takes as long as ten products.
inline Lanes inverse(const Lanes& x) {
#if defined(__AVX512F__)
  const Lanes y = Lanes(_mm512_rcp14_ps(__m512(x)));
  return y + y * (1.0f - x * y);
#else
  return 1.0f / x;
#endif
}

// 1 / (1 + exp(-x)); NaN stays NaN. Beyond 87 it changes no more.
inline Lanes sigmoid(const Lanes& x) {
  constexpr float kRounder = 12582912.0f;  // a sum with it has the integer in its last bits
  const Lanes t = clamp(-x, 87.0f), sum = t * 1.44269504f + kRounder, n = sum - kRounder;
  const Lanes p = exp_of_rest(t, n);
  return inverse(1.0f + Lanes(Bits(p) + (Bits(sum) << 23)));
}

inline Lanes square_root(const Lanes& x) {
#if defined(__AVX512F__)
  return Lanes(_mm512_sqrt_ps(__m512(x)));
#else
  Lanes y;
  for (int64_t j = 0; j < kLanes; ++j) y[j] = std::sqrt(x[j]);
  return y;
#endif
}

}  // inline namespace LCR_ISA
}  // namespace lcr
