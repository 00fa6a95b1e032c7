// bfloat16 as the kernels' doors take it; widen and narrow are in cpu_support.h.
#pragma once

#include <cstdint>

namespace lcr {

struct Bfloat16 {
  uint16_t bits;
};

}  // namespace lcr
