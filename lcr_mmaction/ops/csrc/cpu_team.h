// A CPU core as a team (see bi_wkv_chunk.h): loops the compiler vectorises, a register
// tiled matrix product, and the pairs inside a leaf done in vector registers.
//
// Compiled once per instruction set; nothing here may depend on the machine at run
// time. Vectors are GCC/Clang vector extensions of the widest register of the target.
#pragma once

#include <cstring>
#include <utility>

#include "bi_wkv_chunk.h"

#if defined(__clang__) || __GNUC__ >= 12
#define LCR_SHUFFLES 1
#endif

namespace lcr {
inline namespace LCR_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kTileVectors = 4, kTileRows = 6;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32, kTileVectors = 2, kTileRows = 6;
#else
constexpr int kVectorBytes = 16, kTileVectors = 2, kTileRows = 6;
#endif

template <class T>
struct Vector {
  static constexpr int kLanes = kVectorBytes / sizeof(T);
  typedef T Aligned __attribute__((vector_size(kVectorBytes)));
  typedef T Loose __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  static Aligned load(const T* p) { return *reinterpret_cast<const Loose*>(p); }
  static void store(T* p, Aligned x) { *reinterpret_cast<Loose*>(p) = x; }
  static T sum(Aligned x) {
    T total = 0;
    for (int i = 0; i < kLanes; ++i) total += x[i];
    return total;
  }
};

// Rows that will be read or written soon. Products fetch some of them into the cache
// with every tile, while the memory would be idle.
struct Upcoming {
  struct Rows {
    const char* next;
    int64_t stride;
    int left, bytes;
  };
  static constexpr int kMost = 8, kRowsPerTile = 4;
  Rows queue[kMost];
  int first = 0, end = 0;

  void clear() { first = end = 0; }
  void add(const void* data, int64_t stride, int rows, int bytes) {
    queue[end++] = {static_cast<const char*>(data), stride, rows, bytes};
  }
  void fetch() {
    for (int row = 0; row < kRowsPerTile && first < end; ++row) {
      Rows& rows = queue[first];
      for (int at = 0; at < rows.bytes; at += 64) __builtin_prefetch(rows.next + at, 0, 2);
      rows.next += rows.stride;
      if (!--rows.left) ++first;
    }
  }
};

template <class T>
struct CpuTeam {
  using Acc = T;
  using Op = T;
  using Lane = Vector<T>;
  using V = typename Lane::Aligned;
  static constexpr int kLeaf = 16;
  static constexpr bool kDirectLeaf = true;
  static constexpr int kLanes = Lane::kLanes;

  T* carry;       // a row of the longest matrix
  T* transposed;  // room for one operand of a product
  T* step;        // exp(w) of the chunk's tokens, or of all of them in one row
  int step_stride = 0;
  Upcoming upcoming;

  template <class F>
  void elements(int m, int n, F f) {
    for (int i = 0; i < m; ++i) {
#pragma GCC ivdep
      for (int j = 0; j < n; ++j) f(i, j);
    }
  }
  template <class F>
  void rows(int m, F f) {
    for (int i = 0; i < m; ++i) f(i);
  }
  template <class F>
  void add_columns(int m, int n, T* out, F f) {
    elements(m, n, [=](int i, int j) { out[j] += f(i, j); });
  }
  template <class F>
  void scan(int m, int n, Border border, bool inward, F f) {
    for (const bool up : {true, false}) {
      std::memset(carry, 0, n * sizeof(T));
      for (int step = 0; step < m; ++step) {
        const int i = up ? step : m - 1 - step;
        if (!border.scanned(i, up, inward)) continue;
        if (border.begins(i, up)) std::memset(carry, 0, n * sizeof(T));
        T* c = carry;
#pragma GCC ivdep
        for (int j = 0; j < n; ++j) f(i, j, c[j]);
      }
    }
  }

  // ---- matrix products ----------------------------------------------------------

  // R rows and N vectors of C (+)= A B, held in registers; `tail` lanes of the last
  // vector belong to the matrix.
  template <int R, int N>
  static void tile(int inner, const T* a, int64_t row, int64_t step, const T* b, int64_t ldb,
                   T* c, int64_t ldc, int tail, bool add) {
    V sum[R][N];  // every loop over it is unrolled, else it would live in memory
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) sum[i][j] = V{};
    for (int k = 0; k < inner; ++k) {
      V right[N];
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) right[j] = Lane::load(b + k * ldb + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const T left = a[i * row + k * step];
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) sum[i][j] += right[j] * left;
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) {
        T* out = c + i * ldc + j * kLanes;
        if (j + 1 < N || tail == kLanes) {
          Lane::store(out, add ? Lane::load(out) + sum[i][j] : sum[i][j]);
        } else {
          T lane[kLanes];
          const V last = sum[i][j];
          std::memcpy(lane, &last, sizeof(V));
          for (int l = 0; l < tail; ++l) out[l] = add ? out[l] + lane[l] : lane[l];
        }
      }
  }

  template <int N, int R = kTileRows>
  static void tile_rows(int m, int inner, const T* a, int64_t row, int64_t step, const T* b,
                        int64_t ldb, T* c, int64_t ldc, int tail, bool add) {
    if constexpr (R > 0) {
      if (m == R)
        tile<R, N>(inner, a, row, step, b, ldb, c, ldc, tail, add);
      else
        tile_rows<N, R - 1>(m, inner, a, row, step, b, ldb, c, ldc, tail, add);
    }
  }

  void multiply(int m, int n, int inner, const T* a, int64_t row, int64_t step,
                const T* b, int64_t ldb, T* c, int64_t ldc, bool add) {
    const int bands = (m + kTileRows - 1) / kTileRows;
    for (int j = 0; j < n;) {
      const int vectors = (n - j + kLanes - 1) / kLanes;
      const int taken = vectors >= kTileVectors ? kTileVectors : vectors >= 2 ? 2 : 1;
      const int width = taken * kLanes < n - j ? taken * kLanes : n - j;
      const int tail = width - (taken - 1) * kLanes;
      for (int band = 0, i = 0; band < bands; ++band) {
        const int height = (m - i + bands - band - 1) / (bands - band);
        const T* left = a + i * row;
        T* out = c + i * ldc + j;
        if (taken == kTileVectors)
          tile_rows<kTileVectors>(height, inner, left, row, step, b + j, ldb, out, ldc, tail, add);
        else if (taken == 2)
          tile_rows<2>(height, inner, left, row, step, b + j, ldb, out, ldc, tail, add);
        else
          tile_rows<1>(height, inner, left, row, step, b + j, ldb, out, ldc, tail, add);
        upcoming.fetch();
        i += height;
      }
      j += width;
    }
  }

  // transposed = x^T for n a whole number of vectors; its rows are padded to such.
  int transpose(const T* x, int ldx, int m, int n) {
    const int ld = round_up(m, kLanes);
    for (int i = 0; i < m; i += kLanes)
      for (int j = 0; j < n; j += kLanes)
        transpose_block(x + i * ldx + j, ldx, m - i, transposed + j * ld + i, ld);
    return ld;
  }

#if LCR_SHUFFLES
  // log2(kLanes) perfect shuffles of the rows make the transpose.
  static void transpose_block(const T* x, int ldx, int rows, T* out, int ld) {
    V row[kLanes], next[kLanes];
    for (int i = 0; i < kLanes; ++i) row[i] = i < rows ? Lane::load(x + i * ldx) : V{};
#pragma GCC unroll 8
    for (int width = 1; width < kLanes; width *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes / 2; ++i) {
        next[2 * i] = interleave<0>(row[i], row[i + kLanes / 2], Lanes{});
        next[2 * i + 1] = interleave<kLanes / 2>(row[i], row[i + kLanes / 2], Lanes{});
      }
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) row[i] = next[i];
    }
    for (int i = 0; i < kLanes; ++i) Lane::store(out + i * ld, row[i]);
  }
  using Lanes = std::make_integer_sequence<int, kLanes>;
  template <int FROM, int... I>
  static V interleave(V a, V b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (FROM + I / 2 + (I & 1) * kLanes)...);
  }
#else
  static void transpose_block(const T* x, int ldx, int rows, T* out, int ld) {
    for (int j = 0; j < kLanes; ++j)
      for (int i = 0; i < kLanes; ++i) out[j * ld + i] = i < rows ? x[i * ldx + j] : T(0);
  }
#endif

  template <bool TA, bool TB, bool ADD, class F>
  void products(int count, int, int, F f) {
    for (int i = 0; i < count; ++i) {
      const Product<T, T> p = f(i);
      if (!p.m) continue;
      const T* b = p.b;
      int ldb = p.ldb;
      if (TB) {
        ldb = transpose(p.b, p.ldb, p.n, p.k);
        b = transposed;
      }
      multiply(p.m, p.n, p.k, p.a, TA ? 1 : p.lda, TA ? p.lda : 1, b, ldb, p.c, p.ldc, ADD);
    }
  }

  // ---- pairs inside a leaf --------------------------------------------------------

  template <class C>
  void leaf_scores(C& chunk) {
    const auto& mem = chunk.mem;
    const int n = chunk.tokens, ld = mem.key;
    step_stride = chunk.static_decay ? 0 : ld;
    const int step_rows = chunk.static_decay ? 1 : n;
    const T* w = mem.w;
    T* out = step;
    elements(step_rows, ld, [=](int i, int j) { out[i * ld + j] = decay_exp(w[i * ld + j]); });
    for (int first = 0; first < n; first += kLeaf) {
      int at = 0;
      for (; at + 4 * kLanes <= ld; at += 4 * kLanes) leaf_dots<4>(mem, n, first, at);
      for (; at + 2 * kLanes <= ld; at += 2 * kLanes) leaf_dots<2>(mem, n, first, at);
      for (; at + kLanes <= ld; at += kLanes) leaf_dots<1>(mem, n, first, at);
    }
  }

  // Adds the share of N vectors of channels to the scores of one leaf.
  template <int N, class M>
  void leaf_dots(const M& mem, int tokens, int first, int at) {
    const int end = first + kLeaf < tokens ? first + kLeaf : tokens, ld = mem.key;
    const bool add = at > 0;
    for (int s = first; s < end; ++s) {
      V key[N], query[N];  // of token s, decayed up to token t
      for (int i = 0; i < N; ++i) {
        key[i] = Lane::load(mem.k + s * ld + at + i * kLanes);
        query[i] = Lane::load(mem.r + s * ld + at + i * kLanes);
      }
      V later[kLeaf], earlier[kLeaf];
      for (int t = 0; t < kLeaf; ++t) later[t] = earlier[t] = V{};
      for (int t = s + 1; t < end; ++t) {
        const T* decay = step + t * step_stride + at;
        V below{}, above{};
        for (int i = 0; i < N; ++i) {
          below += Lane::load(mem.r + t * ld + at + i * kLanes) * key[i];
          above += Lane::load(mem.k + t * ld + at + i * kLanes) * query[i];
          key[i] *= Lane::load(decay + i * kLanes);
          query[i] *= Lane::load(decay + i * kLanes);
        }
        later[t - first] = below;
        earlier[t - first] = above;
      }
      T below[kLeaf], above[kLeaf];
      for (int t = 0; t < kLeaf; t += kLanes) {
        Lane::store(below + t, row_sums(later + t));
        Lane::store(above + t, row_sums(earlier + t));
      }
      for (int t = s + 1; t < end; ++t) {
        T& score_below = mem.scores[t * mem.square + s];
        T& score_above = mem.scores[s * mem.square + t];
        score_below = below[t - first] + (add ? score_below : T(0));
        score_above = above[t - first] + (add ? score_above : T(0));
      }
    }
  }

  // The sums of kLanes vectors, in one vector.
  static V row_sums(V* row) {
#if LCR_SHUFFLES
#pragma GCC unroll 4
    for (int count = kLanes / 2; count; count /= 2)
#pragma GCC unroll 8
      for (int i = 0; i < count; ++i)
        row[i] = interleave<0>(row[i], row[i + count], Lanes{}) +
                 interleave<kLanes / 2>(row[i], row[i + count], Lanes{});
    return row[0];
#else
    V sums;
    for (int i = 0; i < kLanes; ++i) sums[i] = Lane::sum(row[i]);
    return sums;
#endif
  }

  template <class C>
  void leaf_gradients(C& chunk) {
    const auto& mem = chunk.mem;
    const int ld = mem.key;
    const auto of_leaf =
        chunk.static_decay ? leaf_gradients_of<true> : leaf_gradients_of<false>;
    for (int first = 0; first < chunk.tokens; first += kLeaf) {
      const int count = chunk.tokens - first < kLeaf ? chunk.tokens - first : kLeaf;
      const T* dscores = mem.dscores + first * (mem.square + 1);
      for (int at = 0; at < ld; at += kLanes)
        of_leaf(count, mem.r + first * ld + at, mem.k + first * ld + at,
                          step + first * step_stride + at, dscores, mem.square,
                          mem.dr + first * ld + at, mem.dk + first * ld + at,
                          mem.dw + (chunk.static_decay ? 0 : first * ld) + at, ld);
    }
  }

  // One vector of channels of one leaf.
  template <bool STATIC>
  static void leaf_gradients_of(int count, const T* r, const T* k, const T* decay,
                                const T* dscores, int square, T* dr, T* dk, T* dw, int ld) {
    const V static_decay = STATIC ? Lane::load(decay) : V{};
    V static_dw = STATIC ? Lane::load(dw) : V{};
    V receptance[kLeaf], key[kLeaf], to_r[kLeaf], to_k[kLeaf], to_w[kLeaf], share[kLeaf];
    for (int t = 0; t < count; ++t) {
      receptance[t] = Lane::load(r + t * ld);
      key[t] = Lane::load(k + t * ld);
      to_r[t] = to_k[t] = to_w[t] = V{};
    }
    for (int s = 0; s < count; ++s) {
      V between = V{} + T(1);
      for (int t = s + 1; t < count; ++t) {
        const V below = between * dscores[t * square + s];
        const V above = between * dscores[s * square + t];
        const V from_s = below * key[s], from_t = above * key[t];
        to_r[t] += from_s;
        to_r[s] += from_t;
        to_k[s] += below * receptance[t];
        to_k[t] += above * receptance[s];
        share[t] = from_s * receptance[t] + from_t * receptance[s];
        if (STATIC) static_dw += share[t] * T(t - s - 1);
        between *= STATIC ? static_decay : Lane::load(decay + t * ld);
      }
      if (STATIC) continue;
      V reaching = V{};
      for (int t = count - 1; t > s + 1; --t) {
        reaching += share[t];
        to_w[t - 1] += reaching;
      }
    }
    for (int t = 0; t < count; ++t) {
      Lane::store(dr + t * ld, Lane::load(dr + t * ld) + to_r[t]);
      Lane::store(dk + t * ld, Lane::load(dk + t * ld) + to_k[t]);
      if (!STATIC) Lane::store(dw + t * ld, Lane::load(dw + t * ld) + to_w[t]);
    }
    if (STATIC) Lane::store(dw, static_dw);
  }
};

}  // inline namespace LCR_ISA
}  // namespace lcr
