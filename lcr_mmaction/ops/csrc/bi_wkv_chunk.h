// One chunk of tokens of one head: what bi_wkv and its gradient do with it.
//
// The formulas are written once, for a `Team` that carries them out: the vector unit
// of a CPU core, or a block of CUDA threads. A team has
//   Acc, Op              types of accumulators and of operands of matrix products;
//   kLeaf                tokens per leaf of the tree, and
//   kDirectLeaf          whether it pairs the tokens of a leaf in its own way;
//   elements(m, n, f)    f(i, j) for all entries of an m x n matrix;
//   rows(m, f)           f(i) for all rows;
//   add_columns(m, n, out, f)
//                        out[j] += sum over i of f(i, j) for all columns j;
//   scan(m, n, border, inward, f)
//                        f(i, j, carry) for the tokens i of every half, going away from
//                        the border (or towards it), with carry from 0 in each half;
//   products<TA, TB, ADD>(count, m, n, f)
//                        f(i) gives a `Product` of at most m x n entries; all are done.
// Each returns when its results are visible to the whole team.
//
// Names: S and R are the states that enter the chunk from the left and the right
// (sums of decayed k v^T), and their adjoints are the sums of decayed r dy^T.
#pragma once

#include "bi_wkv_math.h"

namespace lcr {
inline namespace LCR_ISA {

LCR_HD int round_up(int x, int multiple) { return (x + multiple - 1) / multiple * multiple; }

template <class Op, class Acc>
struct Product {
  const Op* a;
  int lda;
  const Op* b;
  int ldb;
  Acc* c;
  int ldc;
  int m, n, k;
};

// Where the parts of a chunk lie in a team's fast memory. Matrices are row-major; rows
// are padded with zeros to `key` and `value` entries.
template <class Op, class Acc>
struct ChunkMemory {
  int capacity;  // tokens
  int key, value;
  int square;    // row length of token x token matrices
  Op *r, *k, *v, *dy, *query, *keys, *score_op;
  Acc *w, *factor, *u, *total, *scores, *dscores, *leaf, *y, *dquery, *dkeys;
  Acc *dr, *dk, *dv, *dw, *du;

  // Lays the parts out from `base`; returns the bytes needed. `factors` is how many
  // tables of decay factors are kept (one per border), or 1 if they are made anew;
  // `leaf_columns` is the row length of masked leaves, 0 where leaves are done directly.
  LCR_HD int64_t lay_out(char* base, int tokens, int key_, int value_, int factors,
                         bool gradient, int leaf_columns) {
    capacity = tokens;
    key = key_;
    value = value_;
    square = round_up(tokens, 16);
    int64_t at = 0;
    auto op = [&](Op*& p, int64_t count) {
      p = reinterpret_cast<Op*>(base + at);
      at += (count * sizeof(Op) + 63) / 64 * 64;
    };
    auto acc = [&](Acc*& p, int64_t count) {
      p = reinterpret_cast<Acc*>(base + at);
      at += (count * sizeof(Acc) + 63) / 64 * 64;
    };
    const int64_t by_key = int64_t(tokens) * key, by_value = int64_t(tokens) * value;
    const int64_t pairs = int64_t(tokens) * square;
    op(r, by_key), op(k, by_key), op(v, by_value), op(query, by_key), op(keys, by_key);
    acc(w, by_key), acc(factor, factors * by_key), acc(u, key), acc(total, key);
    acc(scores, pairs), acc(leaf, int64_t(tokens) * leaf_columns);
    if (sizeof(Op) != sizeof(Acc)) op(score_op, pairs);
    if (!gradient) {
      acc(y, by_value);
    } else {
      op(dy, by_value), acc(dscores, pairs), acc(dquery, by_key), acc(dkeys, by_key);
      acc(dr, by_key), acc(dk, by_key), acc(dv, by_value), acc(dw, by_key), acc(du, key);
    }
    return at;
  }
};

template <class Team>
struct Chunk {
  using Op = typename Team::Op;
  using Acc = typename Team::Acc;
  using Pair = Product<Op, Acc>;

  Team& team;
  ChunkMemory<Op, Acc>& mem;
  int tokens;
  bool static_decay;
  bool keep_factors;  // one table per border; a static decay's serve every chunk

  LCR_HD Chunk(Team& team_, ChunkMemory<Op, Acc>& mem_, bool static_, bool keep)
      : team(team_), mem(mem_), tokens(0), static_decay(static_), keep_factors(keep) {}

  // ---- decays -------------------------------------------------------------------

  // Call after the chunk's w is in place: the decay across the chunk, less 1, and the
  // kept factors.
  LCR_HD void begin(int tokens_) {
    const bool same = static_decay && tokens == tokens_;
    const bool keep = keep_factors && !(static_decay && tokens);
    if (keep && static_decay) tokens = mem.capacity, make_factors();
    tokens = tokens_;
    if (keep && !static_decay) make_factors();
    if (same) return;
    Acc *total = mem.total, *w = mem.w;
    const int n = tokens, ld = mem.key;
    const bool fixed = static_decay;
    team.elements(1, ld, [=](int, int j) {
      Acc sum = fixed ? n * w[j] : Acc(0);
      if (!fixed)
        for (int x = 0; x < n; ++x) sum += w[x * ld + j];
      total[j] = decay_expm1(sum);
    });
  }

  LCR_HD void make_factors() {
    make_factor(Border::left(), 0);
    make_factor(Border::right(), 1);
    int slot = 2;
    for (int size = Team::kLeaf; size < tokens; size *= 2)
      make_factor(Border::middle(size), slot++);
  }

  LCR_HD void make_factor(Border border, int slot) {
    Acc* out = mem.factor + int64_t(slot) * mem.capacity * mem.key;
    const Acc* w = mem.w;
    const int n = tokens, ld = mem.key;
    if (static_decay) {
      team.elements(n, ld, [=](int x, int j) {
        out[x * ld + j] = decay_exp(w[j] * border.distance(x, n));
      });
      return;
    }
    team.scan(n, ld, border, false, [=](int x, int j, Acc& sum) {
      out[x * ld + j] = decay_exp(sum);
      sum += w[x * ld + j];
    });
  }

  // Decay of every token to the border, tokens x key.
  LCR_HD const Acc* factor(Border border) {
    if (!keep_factors) {
      make_factor(border, 0);
      return mem.factor;
    }
    int slot = 0, first = 0;
    if (border.kind == Border::kRight) {
      slot = 1;
      // A shorter chunk is the end of a whole one, seen from its right border.
      if (static_decay) first = mem.capacity - tokens;
    } else if (border.kind == Border::kMiddle) {
      slot = 2;
      for (int size = Team::kLeaf; size < border.size; size *= 2) ++slot;
    }
    return mem.factor + (int64_t(slot) * mem.capacity + first) * mem.key;
  }

  LCR_HD void scale(const Op* x, const Acc* f, Op* out) {
    const int ld = mem.key;
    team.elements(tokens, ld, [=](int i, int j) {
      out[i * ld + j] = Op(Acc(x[i * ld + j]) * f[i * ld + j]);
    });
  }

  // dw += transpose of the sums in make_factor, applied to query dquery + keys dkeys.
  LCR_HD void add_decay_gradient(Border border) {
    Acc *dw = mem.dw, *dq = mem.dquery, *dk = mem.dkeys;
    const Op *q = mem.query, *k = mem.keys;
    const int ld = mem.key, n = tokens;
    if (static_decay) {  // one sum for all tokens
      team.add_columns(n, ld, dw, [=](int x, int j) {
        const int at = x * ld + j;
        return border.distance(x, n) * (Acc(q[at]) * dq[at] + Acc(k[at]) * dk[at]);
      });
      return;
    }
    team.scan(n, ld, border, true, [=](int x, int j, Acc& sum) {
      const int at = x * ld + j;
      dw[at] += sum;
      sum += Acc(q[at]) * dq[at] + Acc(k[at]) * dk[at];
    });
  }

  // dr += dquery factor, dk += dkeys factor, and the decay's share.
  LCR_HD void collect(const Acc* f, Border border) {
    Acc *dr = mem.dr, *dk = mem.dk, *dq = mem.dquery, *dks = mem.dkeys;
    const int ld = mem.key;
    team.elements(tokens, ld, [=](int i, int j) {
      const int at = i * ld + j;
      dr[at] += dq[at] * f[at];
      dk[at] += dks[at] * f[at];
    });
    add_decay_gradient(border);
  }

  // ---- states -------------------------------------------------------------------

  // state = (a . factor)^T b: what the chunk alone adds to a state that leaves it on the
  // side of that border. A state that enters on the other side is added as it is, plus
  // the chunk's decay less 1 (mem.total) times it.
  LCR_HD void make_state(Acc* state, const Op* a, const Op* b, Border leaves) {
    const int ld = mem.value;
    scale(a, factor(leaves), mem.query);
    const Pair pair{mem.query, mem.key, b, ld, state, ld, mem.key, ld, tokens};
    team.template products<true, false, false>(1, pair.m, pair.n, [=](int) { return pair; });
  }

  // ---- scores: r_t diag(decay) k_s for all pairs of the chunk ---------------------

  // The product between halves number i of a level, counted as (node, side); `rows`
  // belong to one half and `columns` to the other.
  template <class F>
  LCR_HD static Pair between_halves(int i, int size, int tokens, F f) {
    const int here = i * size, there = (i ^ 1) * size;
    int m = tokens - here, n = tokens - there;
    m = m < 0 ? 0 : m < size ? m : size;
    n = n < 0 ? 0 : n < size ? n : size;
    return m && n ? f(here, there, m, n) : Pair{};
  }

  LCR_HD int halves(int size) const { return round_up((tokens + size - 1) / size, 2); }

  LCR_HD void make_scores() {
    Acc *scores = mem.scores, *u = mem.u;
    const Op *r = mem.r, *k = mem.k, *q = mem.query, *ks = mem.keys;
    const int n = tokens, ld = mem.key, sq = mem.square;
    if constexpr (Team::kDirectLeaf) {
      team.leaf_scores(*this);
    } else {
      team.elements(n, sq, [=](int i, int j) { scores[i * sq + j] = 0; });
      for (int size = 1; size < Team::kLeaf && size < n; size *= 2) leaf_level_scores(size);
    }
    for (int size = Team::kLeaf; size < n; size *= 2) {
      const Acc* f = factor(Border::middle(size));
      scale(r, f, mem.query);
      scale(k, f, mem.keys);
      team.template products<false, true, false>(halves(size), size, size, [=](int i) {
        return between_halves(i, size, n, [=](int here, int there, int m, int cols) {
          return Pair{q + here * ld, ld, ks + there * ld, ld, scores + here * sq + there,
                      sq,            m,  cols,            ld};
        });
      });
    }
    team.rows(n, [=](int t) {
      Acc sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int j = 0; j < ld; ++j) sum += Acc(r[t * ld + j]) * Acc(k[t * ld + j]) * u[j];
      scores[t * sq + t] = sum;
    });
  }

  // One level inside the leaves: products of whole leaves, of which the pairs that
  // part at this level are kept.
  LCR_HD void leaf_level_scores(int size) {
    const Acc* f = factor(Border::middle(size));
    scale(mem.r, f, mem.query);
    scale(mem.k, f, mem.keys);
    Acc *scores = mem.scores, *leaf = mem.leaf;
    const Op *q = mem.query, *ks = mem.keys;
    const int n = tokens, ld = mem.key, sq = mem.square, width = Team::kLeaf;
    team.template products<false, true, false>((n + width - 1) / width, width, width, [=](int i) {
      const int at = i * width, m = n - at < width ? n - at : width;
      return Pair{q + at * ld, ld, ks + at * ld, ld, leaf + at * width, width, m, m, ld};
    });
    team.elements(n, width, [=](int t, int j) {
      const int s = t / width * width + j;
      if (s < n && parted_at(t, s, size)) scores[t * sq + s] = leaf[t * width + j];
    });
  }

  // As an operand: the same memory where accumulators are operands, else a copy.
  LCR_HD const Op* as_operand(const Acc* x, Op* copy) {
    if constexpr (sizeof(Op) == sizeof(Acc)) {
      return x;
    } else {
      const int sq = mem.square;
      team.elements(tokens, sq, [=](int i, int j) { copy[i * sq + j] = Op(x[i * sq + j]); });
      return copy;
    }
  }

  // ---- the chunk's output and gradients -------------------------------------------

  // y = scores v + (r . factor) state, for the states that are there.
  LCR_HD void output(const Op* left_state, const Op* right_state) {
    make_scores();
    const int lv = mem.value, lk = mem.key, n = tokens;
    const Op* scores = as_operand(mem.scores, mem.score_op);
    const Pair inside{scores, mem.square, mem.v, lv, mem.y, lv, n, lv, n};
    team.template products<false, false, false>(1, n, lv, [=](int) { return inside; });
    for (int side = 0; side < 2; ++side) {
      const Op* state = side ? right_state : left_state;
      if (!state) continue;
      scale(mem.r, factor(side ? Border::right() : Border::left()), mem.query);
      const Pair outside{mem.query, lk, state, lv, mem.y, lv, n, lv, lk};
      team.template products<false, false, true>(1, n, lv, [=](int) { return outside; });
    }
  }

  // All gradients of the chunk's tokens; du is added to. Of a static decay, the first
  // row of dw is the sum over the tokens.
  LCR_HD void gradients(const Op* left_state, const Op* right_state,
                        const Op* left_adjoint, const Op* right_adjoint) {
    const int n = tokens, lk = mem.key, lv = mem.value, sq = mem.square;
    Acc *dr = mem.dr, *dk = mem.dk, *dw = mem.dw, *du = mem.du, *dscores = mem.dscores;
    const Acc *u = mem.u, *total = mem.total;
    const Op *r = mem.r, *k = mem.k;

    make_scores();
    const Op* scores = as_operand(mem.scores, mem.score_op);
    const Pair to_v{scores, sq, mem.dy, lv, mem.dv, lv, n, lv, n};
    team.template products<true, false, false>(1, n, lv, [=](int) { return to_v; });
    const Pair to_scores{mem.dy, lv, mem.v, lv, dscores, sq, n, n, lv};
    team.template products<false, true, false>(1, n, n, [=](int) { return to_scores; });

    // The token's own term, and what passes through the whole chunk.
    team.elements(n, lk, [=](int t, int j) {
      const Acc own = dscores[t * sq + t] * u[j];
      dr[t * lk + j] = own * Acc(k[t * lk + j]);
      dk[t * lk + j] = own * Acc(r[t * lk + j]);
    });
    team.add_columns(n, lk, du, [=](int t, int j) {
      return dscores[t * sq + t] * Acc(r[t * lk + j]) * Acc(k[t * lk + j]);
    });
    Acc* through = mem.dquery;  // free until the first products
    const bool inner = left_state && right_state;
    team.rows(lk, [=](int i) {
      Acc sum = 0;
      const int columns = inner ? lv : 0;
#pragma omp simd reduction(+ : sum)
      for (int j = 0; j < columns; ++j)
        sum += Acc(left_state[i * lv + j]) * Acc(right_adjoint[i * lv + j]) +
               Acc(right_state[i * lv + j]) * Acc(left_adjoint[i * lv + j]);
      through[i] = sum + sum * total[i];
    });
    if (static_decay)
      team.elements(1, lk, [=](int, int j) { dw[j] = n * through[j]; });
    else
      team.elements(n, lk, [=](int t, int j) { dw[t * lk + j] = through[j]; });

    inside_gradients(as_operand(dscores, mem.score_op));  // the scores are done with
    for (int side = 0; side < 2; ++side) {
      const Op* state = side ? right_state : left_state;
      const Op* adjoint = side ? right_adjoint : left_adjoint;
      if (state) side_gradients(state, adjoint, side ? Border::right() : Border::left());
    }
  }

  // Pairs of a token of the chunk with one beyond a side.
  LCR_HD void side_gradients(const Op* state, const Op* adjoint, Border side) {
    const int n = tokens, lk = mem.key, lv = mem.value;
    const Acc* f = factor(side);
    scale(mem.r, f, mem.query);
    scale(mem.k, f, mem.keys);
    const Pair to_v{mem.keys, lk, adjoint, lv, mem.dv, lv, n, lv, lk};
    team.template products<false, false, true>(1, n, lv, [=](int) { return to_v; });
    const Pair to_query{mem.dy, lv, state, lv, mem.dquery, lk, n, lk, lv};
    const Pair to_keys{mem.v, lv, adjoint, lv, mem.dkeys, lk, n, lk, lv};
    team.template products<false, true, false>(2, n, lk,
                                               [=](int i) { return i ? to_keys : to_query; });
    collect(f, side);
  }

  // Pairs inside the chunk, the diagonal excepted.
  LCR_HD void inside_gradients(const Op* dscores) {
    const int n = tokens, ld = mem.key, sq = mem.square;
    Acc *dq = mem.dquery, *dks = mem.dkeys;
    const Op *q = mem.query, *ks = mem.keys;
    if constexpr (Team::kDirectLeaf) {
      team.leaf_gradients(*this);
    } else {
      for (int size = 1; size < Team::kLeaf && size < n; size *= 2) leaf_level_gradients(size);
    }
    for (int size = Team::kLeaf; size < n; size *= 2) {
      const Acc* f = factor(Border::middle(size));
      scale(mem.r, f, mem.query);
      scale(mem.k, f, mem.keys);
      // Halves without a partner (at the chunk's end) get no product.
      team.elements(n, ld, [=](int i, int j) { dq[i * ld + j] = dks[i * ld + j] = 0; });
      team.template products<false, false, false>(halves(size), size, ld, [=](int i) {
        return between_halves(i, size, n, [=](int here, int there, int m, int inner) {
          return Pair{dscores + here * sq + there, sq, ks + there * ld, ld,
                      dq + here * ld,              ld, m,               ld, inner};
        });
      });
      team.template products<true, false, false>(halves(size), size, ld, [=](int i) {
        return between_halves(i, size, n, [=](int here, int there, int m, int inner) {
          return Pair{dscores + there * sq + here, sq, q + there * ld, ld,
                      dks + here * ld,             ld, m,              ld, inner};
        });
      });
      collect(f, Border::middle(size));
    }
  }

  LCR_HD void leaf_level_gradients(int size) {
    const Acc* f = factor(Border::middle(size));
    scale(mem.r, f, mem.query);
    scale(mem.k, f, mem.keys);
    const int n = tokens, ld = mem.key, sq = mem.square, width = Team::kLeaf;
    // The pairs that part at this level, as an operand; scores are no longer needed.
    Op* kept = reinterpret_cast<Op*>(mem.leaf);
    const Acc* dscores = mem.dscores;
    team.elements(n, width, [=](int t, int j) {
      const int s = t / width * width + j;
      const bool keep = s < n && parted_at(t, s, size);
      kept[t * width + j] = keep ? Op(dscores[t * sq + s]) : Op(Acc(0));
    });
    const Op *q = mem.query, *ks = mem.keys;
    Acc *dq = mem.dquery, *dks = mem.dkeys;
    const int leaves = (n + width - 1) / width;
    team.template products<false, false, false>(leaves, width, ld, [=](int i) {
      const int at = i * width, m = n - at < width ? n - at : width;
      return Pair{kept + at * width, width, ks + at * ld, ld, dq + at * ld, ld, m, ld, m};
    });
    team.template products<true, false, false>(leaves, width, ld, [=](int i) {
      const int at = i * width, m = n - at < width ? n - at : width;
      return Pair{kept + at * width, width, q + at * ld, ld, dks + at * ld, ld, m, ld, m};
    });
    collect(f, Border::middle(size));
  }
};

}  // inline namespace LCR_ISA
}  // namespace lcr
