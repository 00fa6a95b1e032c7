// What every file that is compiled once per instruction set shares: the names of its
// tables, and whether this processor can run it.
#pragma once

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

}  // inline namespace LCR_ISA
}  // namespace lcr
