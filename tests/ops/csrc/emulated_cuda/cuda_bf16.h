// bfloat16 as wide as on a GPU.
#pragma once

#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
  uint16_t bits;
  __nv_bfloat16() = default;
  explicit __nv_bfloat16(float x) {
    uint32_t all;
    std::memcpy(&all, &x, sizeof(all));
    bits = uint16_t((all + 0x7fff + ((all >> 16) & 1)) >> 16);
  }
  operator float() const {
    const uint32_t all = uint32_t(bits) << 16;
    float x;
    std::memcpy(&x, &all, sizeof(x));
    return x;
  }
};
