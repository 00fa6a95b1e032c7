// What every file that is compiled once per instruction set shares: the names of its
// tables, whether this processor can run it, and bfloat16.
#pragma once

#include "bfloat16.h"
#include "bi_wkv_math.h"

#define LCR_STRING_(x) #x
#define LCR_STRING(x) LCR_STRING_(x)
#define LCR_NAME__(table, isa) table##_##isa
#define LCR_NAME_(table, isa) LCR_NAME__(table, isa)
#define LCR_NAME(table) LCR_NAME_(table, LCR_ISA)

namespace lcr {
inline namespace LCR_ISA {

inline bool supported() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

inline float widen(float x) { return x; }
inline double widen(double x) { return x; }
inline float widen(Bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof(y));
  return y;
}
inline void narrow(float x, float& y) { y = x; }
inline void narrow(double x, double& y) { y = x; }
inline void narrow(float x, Bfloat16& y) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  y.bits = uint16_t(x == x ? rounded : 0x7fc0);
}

}  // inline namespace LCR_ISA
}  // namespace lcr
