// Arithmetic of bi_wkv that every kernel shares, on the CPU and in CUDA.
//
// Decays are exponentials of sums of log-decays w <= 0. The sums always run from a
// token towards a border that lies between it and its partner, so that no exponent is
// positive; `Border` says which border that is and `distance` how many tokens lie
// on the way.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define LCR_HD __host__ __device__ __forceinline__
#else
#include <cmath>
#define LCR_HD inline __attribute__((always_inline))
#endif

// Each instruction set the CPU kernel is compiled for gets a namespace of its own, so
// that the linker cannot hand one's code to another.
#if !defined(LCR_ISA)
#define LCR_ISA any
#endif

namespace lcr {
inline namespace LCR_ISA {

// exp(x - n ln 2) for the whole number n that leaves |x - n ln 2| <= ln 2 / 2: of one number,
// or of a register of them.
template <class V>
LCR_HD V exp_of_rest(const V& x, const V& n) {
  const V f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  V p = V{} + 1.0f / 5040;
  p = p * f + 1.0f / 720;
  p = p * f + 1.0f / 120;
  p = p * f + 1.0f / 24;
  p = p * f + 1.0f / 6;
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  return p * f + 1.0f;
}

// exp(x) for x <= 0, correct to about one unit in the last place; 0 where that would
// be denormal. Without branches or calls, so that loops over it become vector code.
LCR_HD float decay_exp(float x) {
#if defined(__CUDA_ARCH__)
  return expf(x);
#else
  // The least argument has the exponent field 0 below: its power of two is 0.
  const float clipped = x > -88.1f ? x : -88.1f;
  const int32_t n = static_cast<int32_t>(clipped * 1.44269504f - 0.5f);  // rounds
  const int32_t bits = (n + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  return exp_of_rest(clipped, static_cast<float>(n)) * power;
#endif
}
LCR_HD double decay_exp(double x) { return exp(x); }

// exp(x) - 1 for x <= 0. Near 0 the series keeps the digits that exp(x) would lose:
// a state multiplied by exp(x) chunk after chunk must not drift for weak decays.
template <class T>
LCR_HD T decay_expm1(T x) {
  T p = T(1) / 39916800;
  p = p * x + T(1) / 3628800;
  p = p * x + T(1) / 362880;
  p = p * x + T(1) / 40320;
  p = p * x + T(1) / 5040;
  p = p * x + T(1) / 720;
  p = p * x + T(1) / 120;
  p = p * x + T(1) / 24;
  p = p * x + T(1) / 6;
  p = p * x + T(0.5);
  p = p * x + T(1);
  return x > T(-0.25) ? p * x : decay_exp(x) - T(1);
}

// The border towards which a token of a chunk decays: the chunk's first or last, or
// the middle of its node at one level of the binary tree over the chunk, whose halves
// are `size` tokens long.
struct Border {
  enum Kind : int { kLeft, kRight, kMiddle };
  Kind kind;
  int size;

  static LCR_HD Border left() { return {kLeft, 1 << 30}; }
  static LCR_HD Border right() { return {kRight, 1 << 30}; }
  static LCR_HD Border middle(int size) { return {kMiddle, size}; }

  // Whether token x lies to the right of its border.
  LCR_HD bool right_of(int x) const {
    return kind == kMiddle ? (x / size) & 1 : kind == kLeft;
  }
  // Scans go up through some halves and down through others. Whether token x belongs
  // to those gone through in one direction, and whether its half begins with it.
  LCR_HD bool scanned(int x, bool up, bool inward) const {
    return right_of(x) == (up != inward);
  }
  LCR_HD bool begins(int x, bool up) const { return (up ? x : x + 1) % size == 0; }
  // How many tokens lie strictly between token x and the border, in a chunk of
  // `tokens`. Middle borders know no chunk's end: a left half that the end cuts short
  // has no right half, so nobody asks.
  LCR_HD int distance(int x, int tokens) const {
    if (right_of(x)) return x % size;
    return (kind == kRight ? tokens : (x / size + 1) * size) - 1 - x;
  }
};

// Whether the middle border at halves of `size` tokens lies between tokens t and s.
LCR_HD bool parted_at(int t, int s, int size) { return ((t / size) ^ (s / size)) == 1; }

}  // inline namespace LCR_ISA
}  // namespace lcr
