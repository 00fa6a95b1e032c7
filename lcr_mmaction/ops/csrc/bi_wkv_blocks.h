// bi_wkv parallel over chunks: what one block of threads does in each of the kernels.
//
//   1. local_states   every chunk at once: what it adds to the passing states
//   2. scan_state     every state entry at once, chunk after chunk: the states that
//                     enter each chunk from either side
//   3. output_block   every chunk at once: its outputs; or
//      gradient_block its gradients
//
// The gradient runs 1 and 2 for the states (k, v) and for their adjoints (r, dy).
// Written for any team, so that tests run the same code on a CPU.
//
// A chunk is always worked on as a whole number of 16 x 16 tiles. The tokens that fill
// it up are zeros with no decay, which changes nothing. A static decay is copied to
// every token, so that there is one case.
#pragma once

#include "bi_wkv_chunk.h"

namespace lcr {
inline namespace LCR_ISA {

template <class T>
struct Strided {  // (batch, tokens, heads, channels), channels together
  T* data;
  int64_t batch, token, head;
  LCR_HD T* row(int64_t b, int64_t t, int64_t h) const {
    return data + b * batch + t * token + h * head;
  }
};

// In is the type of the tensors, Op of operands of matrix products and of states.
template <class In, class Op>
struct Work {
  int64_t batch, tokens, heads, chunks;
  int key, value;    // head sizes
  int keys, values;  // the same in whole tiles
  int chunk;         // tokens per chunk, a multiple of 16
  bool static_decay, gradient;
  Strided<const In> r, k, v, dy;
  Strided<const float> w;  // batch and token strides are 0 for a static decay
  const float* u;
  Strided<In> y, dr, dk, dv;
  float* dw;       // (batch, tokens, heads, key), or static: (items, key)
  float* du;       // (items, key)
  float* local;    // [kind][side][item][keys * values]
  Op* states;      // likewise
  float* passing;  // (items, keys): decay across the chunk, less 1

  LCR_HD int64_t items() const { return batch * heads * chunks; }
  LCR_HD int64_t state_size() const { return int64_t(keys) * values; }
  LCR_HD int64_t state_at(int kind, int side, int64_t item) const {
    return ((kind * 2 + side) * items() + item) * state_size();
  }
};

// The chunk that is item number `item` of the work: (batch entry, head, chunk).
struct Item {
  int64_t index, b, h, c, first;
  int count;  // its tokens

  template <class W>
  LCR_HD Item(const W& work, int64_t item) : index(item) {
    c = item % work.chunks;
    h = item / work.chunks % work.heads;
    b = item / work.chunks / work.heads;
    first = c * work.chunk;
    const int64_t left = work.tokens - first;
    count = int(left < work.chunk ? left : work.chunk);
  }
};

template <class Team, class In, class Op>
struct Block {
  using Memory = ChunkMemory<Op, float>;
  Team& team;
  const Work<In, Op>& work;
  Memory& mem;
  Item item;
  Chunk<Team> chunk;

  // `base` is the block's memory, of bytes() bytes.
  LCR_HD Block(Team& team_, const Work<In, Op>& work_, Memory& mem_, char* base, int64_t index)
      : team(team_), work(work_), mem(mem_), item(work_, index),
        chunk(team_, mem_, false, false) {
    lay_out(mem, base, work);
  }
  static LCR_HD int64_t bytes(const Work<In, Op>& work) {
    Memory mem;
    return lay_out(mem, nullptr, work);
  }
  static LCR_HD int64_t lay_out(Memory& mem, char* base, const Work<In, Op>& work) {
    return mem.lay_out(base, work.chunk, work.keys, work.values, 1, work.gradient, Team::kLeaf);
  }

  template <class From, class To>
  LCR_HD void load(To* to, int ld, Strided<From> from, int channels) {
    const Item it = item;
    team.elements(padded(), ld, [=](int i, int j) {
      const bool real = i < it.count && j < channels;
      to[i * ld + j] = real ? To(float(from.row(it.b, it.first + i, it.h)[j])) : To(0.0f);
    });
  }
  LCR_HD void store(const float* from, int ld, Strided<In> to, int channels) {
    const Item it = item;
    team.elements(it.count, channels, [=](int i, int j) {
      to.row(it.b, it.first + i, it.h)[j] = In(from[i * ld + j]);
    });
  }
  LCR_HD int padded() const { return round_up(item.count, 16); }

  LCR_HD void begin(bool receptance) {
    load(mem.k, work.keys, work.k, work.key);
    load(mem.v, work.values, work.v, work.value);
    load(mem.w, work.keys, work.w, work.key);
    if (receptance) load(mem.r, work.keys, work.r, work.key);
    if (work.gradient) load(mem.dy, work.values, work.dy, work.value);
    const float* u = work.u + item.h * work.key;
    float *row = mem.u, *du = mem.du;
    const int key = work.key;
    const bool gradient = work.gradient;
    team.elements(1, work.keys, [=](int, int j) {
      row[j] = j < key ? u[j] : 0.0f;
      if (gradient) du[j] = 0;
    });
    chunk.begin(padded());
  }

  LCR_HD void local_states() {
    begin(work.gradient);
    for (int kind = 0; kind < 1 + work.gradient; ++kind)
      for (int side = 0; side < 2; ++side)
        chunk.make_state(work.local + work.state_at(kind, side, item.index),
                         kind ? mem.r : mem.k, kind ? mem.dy : mem.v,
                         side ? Border::left() : Border::right());
    const float* total = mem.total;
    float* out = work.passing + item.index * work.keys;
    team.elements(1, work.keys, [=](int, int j) { out[j] = total[j]; });
  }

  // The state that enters from a side; none at either end of the sequence.
  LCR_HD const Op* entering(int kind, int side) const {
    const bool end = item.c == (side ? work.chunks - 1 : 0);
    return end ? nullptr : work.states + work.state_at(kind, side, item.index);
  }

  LCR_HD void output() {
    begin(true);
    chunk.output(entering(0, 0), entering(0, 1));
    store(mem.y, work.values, work.y, work.value);
  }

  LCR_HD void gradients() {
    begin(true);
    chunk.gradients(entering(0, 0), entering(0, 1), entering(1, 0), entering(1, 1));
    store(mem.dr, work.keys, work.dr, work.key);
    store(mem.dk, work.keys, work.dk, work.key);
    store(mem.dv, work.values, work.dv, work.value);
    const float *dw = mem.dw, *du = mem.du;
    const int ld = work.keys, key = work.key;
    const Item it = item;
    float* du_out = work.du + it.index * key;
    float* dw_out = work.dw + it.index * key;
    const bool fixed = work.static_decay;
    team.elements(1, key, [=](int, int j) {
      du_out[j] = du[j];
      if (!fixed) return;
      float sum = 0;
      for (int t = 0; t < it.count; ++t) sum += dw[t * ld + j];
      dw_out[j] = sum;
    });
    if (fixed) return;
    const Strided<float> rows{work.dw, work.tokens * work.heads * key, work.heads * key, key};
    team.elements(it.count, key, [=](int t, int j) {
      rows.row(it.b, it.first + t, it.h)[j] = dw[t * ld + j];
    });
  }
};

// Entry `entry` of the states of one kind and side and one (batch entry, head).
template <class In, class Op>
LCR_HD void scan_state(const Work<In, Op>& work, int kind, int side, int64_t sequence,
                       int64_t entry) {
  const int64_t key = entry / work.values;
  float state = 0;
  for (int64_t step = 0; step < work.chunks; ++step) {
    const int64_t c = side ? work.chunks - 1 - step : step;
    const int64_t item = sequence * work.chunks + c;
    const int64_t at = work.state_at(kind, side, item) + entry;
    work.states[at] = Op(state);
    state += work.passing[item * work.keys + key] * state + work.local[at];
  }
}

}  // inline namespace LCR_ISA
}  // namespace lcr
