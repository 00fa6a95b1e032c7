// bi_wkv on one CPU core, for one (batch entry, head): a sweep from the right that
// leaves the states entering every chunk, and one from the left that uses them.
//
// LCR_ISA names the instruction set this file is being compiled for.
#include "cpu_kernel.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu_team.h"

namespace lcr {
namespace {

// Decays reach far below the normal range, where x86 arithmetic is slow: treat
// denormal numbers as zero while a kernel runs.
struct FlushDenormals {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();
  FlushDenormals() { _mm_setcsr(saved | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved); }
#endif
};

struct Bfloat16 {
  uint16_t bits;
};
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

// Tokens per chunk. Per token, pairs inside chunks take tokens (K + V) multiply-adds and
// states 4 K V (1 - 1 / chunks): a short sequence is one chunk, and a longer one is cut
// into equal parts of about the length that ran fastest.
int chunk_tokens(int64_t tokens, int key, int value) {
  constexpr int64_t kLongest = 128, kUsual = 28;
  const int64_t chunks = std::max<int64_t>(1, (tokens + kUsual / 2) / kUsual);
  const int64_t length = (tokens + chunks - 1) / chunks;
  const int64_t cut = 4 * key * value * (chunks - 1) / chunks + length * (key + value);
  return int(tokens <= kLongest && tokens * (key + value) <= cut ? tokens : length);
}

template <class T, class In>
struct Worker {
  const Problem& problem;
  int64_t batch, head, tokens, chunks;
  int size, key, value;  // tokens per chunk, padded head sizes
  CpuTeam<T> team;
  ChunkMemory<T, T> mem;
  T *left_state, *left_adjoint, *right_states, *right_adjoints;
  int64_t state_size;
  Chunk<CpuTeam<T>> chunk;

  static int64_t lay_out(const Problem& p, bool gradient, char* base, Worker* worker) {
    const int lanes = CpuTeam<T>::kLanes;
    const int size = chunk_tokens(p.tokens, p.key, p.value);
    const int key = round_up(p.key, lanes), value = round_up(p.value, lanes);
    const int64_t chunks = (p.tokens + size - 1) / size;
    const int widest = round_up(key > value ? key : value, lanes);
    const int longest = widest > round_up(size, lanes) ? widest : round_up(size, lanes);
    int factors = 2;
    for (int s = CpuTeam<T>::kLeaf; s < size; s *= 2) ++factors;
    ChunkMemory<T, T> mem;
    int64_t at = mem.lay_out(base, size, key, value, factors, gradient, 0);
    auto take = [&](int64_t count) {
      T* p = reinterpret_cast<T*>(base + at);
      at += (count * sizeof(T) + 63) / 64 * 64;
      return p;
    };
    T* carry = take(longest);
    T* transposed = take(int64_t(longest) * longest);
    T* step = take(int64_t(size) * key);
    const int64_t state_size = int64_t(key) * value;
    T* states = take(state_size * chunks * (gradient ? 2 : 1));
    if (worker) {
      worker->size = size, worker->key = key, worker->value = value;
      worker->chunks = chunks, worker->tokens = p.tokens;
      worker->state_size = state_size;
      worker->mem = mem;
      worker->team.carry = carry, worker->team.transposed = transposed;
      worker->team.step = step;
      worker->left_state = states, worker->right_states = states + state_size;
      states += state_size * chunks;
      worker->left_adjoint = states, worker->right_adjoints = states + state_size;
    }
    return at;
  }

  // One head, for any of the batch: what depends on the head alone is made once.
  Worker(const Problem& p, int64_t head_, bool gradient, char* scratch)
      : problem(p), batch(0), head(head_), chunk(team, mem, p.static_decay, true) {
    lay_out(p, gradient, scratch, this);
    // Padding channels are never written again; zeros there stay out of every sum.
    for (T* x : {mem.r, mem.k, mem.w}) clear(x, size * key, p.key != key);
    for (T* x : {mem.v, gradient ? mem.dy : mem.v}) clear(x, size * value, p.value != value);
    clear(mem.u, key, true);
    std::memcpy(mem.u, static_cast<const T*>(p.u) + head * p.key, p.key * sizeof(T));
    if (p.static_decay) load_row(mem.w, p.w, T(), 0, p.key);
  }
  static void clear(T* x, int64_t count, bool needed) {
    if (needed) std::memset(x, 0, count * sizeof(T));
  }

  int length(int64_t c) const {
    const int64_t left = tokens - c * size;
    return int(left < size ? left : size);
  }

  template <class From>
  void load_row(T* to, const Tensor4& from, From, int64_t token, int channels) {
    const From* row = static_cast<const From*>(from.data) + batch * from.batch +
                      head * from.head + token * from.token;
    for (int j = 0; j < channels; ++j) to[j] = widen(row[j]);
  }
  template <class To>
  void store_row(const T* from, const Tensor4& to, To, int64_t token, int channels) {
    To* row = static_cast<To*>(to.data) + batch * to.batch + head * to.head + token * to.token;
    for (int j = 0; j < channels; ++j) narrow(from[j], row[j]);
  }
  void load(T* to, int ld, const Tensor4& from, int64_t c, int channels) {
    for (int i = 0; i < length(c); ++i)
      load_row(to + i * ld, from, In(), c * size + i, channels);
  }
  void store(const T* from, int ld, const Tensor4& to, int64_t c, int channels) {
    for (int i = 0; i < length(c); ++i)
      store_row(from + i * ld, to, In(), c * size + i, channels);
  }

  void begin(int64_t c, bool receptance, bool gradient) {
    if (!problem.static_decay)
      for (int i = 0; i < length(c); ++i)
        load_row(mem.w + i * key, problem.w, T(), c * size + i, problem.key);
    if (receptance) load(mem.r, key, problem.r, c, problem.key);
    load(mem.k, key, problem.k, c, problem.key);
    load(mem.v, value, problem.v, c, problem.value);
    if (gradient) load(mem.dy, value, problem.dy, c, problem.value);
    chunk.begin(length(c));
  }

  template <class From>
  void expect_rows(const Tensor4& x, From, int64_t b, int64_t c, int channels) {
    const From* rows = static_cast<const From*>(x.data) + b * x.batch + head * x.head +
                       c * size * x.token;
    team.upcoming.add(rows, x.token * sizeof(From), length(c), channels * sizeof(From));
  }
  // What has not been touched yet of chunk c of a batch entry will be needed next, by
  // the sweep from the right or by that from the left.
  void expect(int64_t b, int64_t c, bool from_right, bool gradient) {
    team.upcoming.clear();
    if (b == problem.batch) return;
    const bool inputs = from_right || chunks == 1;
    if (inputs) {
      expect_rows(problem.k, In(), b, c, problem.key);
      expect_rows(problem.v, In(), b, c, problem.value);
      if (!problem.static_decay) expect_rows(problem.w, T(), b, c, problem.key);
    }
    if (inputs ? gradient : !gradient) expect_rows(problem.r, In(), b, c, problem.key);
    if (inputs && gradient) expect_rows(problem.dy, In(), b, c, problem.value);
    if (from_right) return;
    if (!gradient) return expect_rows(problem.y, In(), b, c, problem.value);
    expect_rows(problem.dr, In(), b, c, problem.key);
    expect_rows(problem.dk, In(), b, c, problem.key);
    expect_rows(problem.dv, In(), b, c, problem.value);
  }

  // What enters chunk c from its right; nothing enters the last.
  T* right_state(int64_t c) { return c < chunks - 1 ? right_states + c * state_size : nullptr; }
  T* right_adjoint(int64_t c) {
    return c < chunks - 1 ? right_adjoints + c * state_size : nullptr;
  }

  // Leaves in right_states (and right_adjoints) what enters each chunk from its right.
  void sweep_from_right(bool gradient) {
    for (int64_t c = chunks - 1; c > 0; --c) {
      begin(c, gradient, gradient);
      expect(batch, c - 1, true, gradient);
      chunk.pass_state(right_state(c), right_state(c - 1), mem.k, mem.v, Border::left());
      if (gradient)
        chunk.pass_state(right_adjoint(c), right_adjoint(c - 1), mem.r, mem.dy, Border::left());
    }
  }

  void forward(int64_t batch_) {
    batch = batch_;
    sweep_from_right(false);
    for (int64_t c = 0; c < chunks; ++c) {
      begin(c, true, false);
      c + 1 < chunks ? expect(batch, c + 1, false, false)
                     : expect(batch + 1, chunks - 1, true, false);
      const T *from_left = c ? left_state : nullptr, *from_right = right_state(c);
      chunk.output(from_left, from_right);
      store(mem.y, value, problem.y, c, problem.value);
      if (from_right) chunk.pass_state(from_left, left_state, mem.k, mem.v, Border::right());
    }
  }

  void backward(int64_t batch_) {
    batch = batch_;
    clear(mem.du, key, true);
    sweep_from_right(true);
    T* static_dw = static_cast<T*>(problem.dw.data) + batch * problem.dw.batch +
                   head * problem.dw.head;
    if (problem.static_decay)
      for (int j = 0; j < problem.key; ++j) static_dw[j] = 0;
    for (int64_t c = 0; c < chunks; ++c) {
      begin(c, true, true);
      c + 1 < chunks ? expect(batch, c + 1, false, true)
                     : expect(batch + 1, chunks - 1, true, true);
      const T *state = c ? left_state : nullptr, *adjoint = c ? left_adjoint : nullptr;
      chunk.gradients(state, right_state(c), adjoint, right_adjoint(c));
      store(mem.dr, key, problem.dr, c, problem.key);
      store(mem.dk, key, problem.dk, c, problem.key);
      store(mem.dv, value, problem.dv, c, problem.value);
      if (problem.static_decay)
        for (int j = 0; j < problem.key; ++j) static_dw[j] += mem.dw[j];
      else
        for (int i = 0; i < length(c); ++i)
          store_row(mem.dw + i * key, problem.dw, T(), c * size + i, problem.key);
      if (c == chunks - 1) continue;
      chunk.pass_state(state, left_state, mem.k, mem.v, Border::right());
      chunk.pass_state(adjoint, left_adjoint, mem.r, mem.dy, Border::right());
    }
    T* du = static_cast<T*>(problem.du) + (batch * problem.heads + head) * problem.key;
    std::memcpy(du, mem.du, problem.key * sizeof(T));
  }
};

size_t scratch_bytes(const Problem& p, bool gradient) {
  return p.type == Type::kDouble
             ? Worker<double, double>::lay_out(p, gradient, nullptr, nullptr)
             : Worker<float, float>::lay_out(p, gradient, nullptr, nullptr);
}

template <bool GRADIENT, class T, class In>
void run_as(const Problem& p, int64_t begin, int64_t end, char* scratch) {
  while (begin < end) {
    const int64_t head = begin / p.batch, last = std::min(end, (head + 1) * p.batch);
    Worker<T, In> worker(p, head, GRADIENT, scratch);
    for (; begin < last; ++begin)
      GRADIENT ? worker.backward(begin % p.batch) : worker.forward(begin % p.batch);
  }
}

template <bool GRADIENT>
void run(const Problem& p, int64_t begin, int64_t end, char* scratch) {
  FlushDenormals flush;
  switch (p.type) {
    case Type::kFloat: return run_as<GRADIENT, float, float>(p, begin, end, scratch);
    case Type::kDouble: return run_as<GRADIENT, double, double>(p, begin, end, scratch);
    case Type::kBfloat16: return run_as<GRADIENT, float, Bfloat16>(p, begin, end, scratch);
  }
}

bool supported() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

}  // namespace

#define LCR_STRING_(x) #x
#define LCR_STRING(x) LCR_STRING_(x)
#define LCR_NAME_(isa) cpu_kernel_##isa
#define LCR_NAME(isa) LCR_NAME_(isa)

extern const CpuKernel LCR_NAME(LCR_ISA);
const CpuKernel LCR_NAME(LCR_ISA) = {LCR_STRING(LCR_ISA), supported, scratch_bytes, run<false>,
                                     run<true>};

}  // namespace lcr
