// bi_wkv on one CPU core: what every chunk adds to the states that leave it, the states
// carried from chunk to chunk in both directions, and the chunks' results from them.
// One thread does all three for a sequence, or several share out the chunks.
//
// LCR_ISA names the instruction set this file is being compiled for.
#include "cpu_kernel.h"

#include <algorithm>
#include <optional>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu_support.h"
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

// The states that enter the chunks of a sequence: those of the keys and values and, for
// a gradient, the adjoints. First they hold what the neighbouring chunk alone adds.
template <class T>
struct States {
  int64_t chunks, size;
  T *totals;  // decay across every chunk, less 1
  T *data;

  static int64_t lay_out(const Problem& p, bool gradient, int key, int value, int64_t chunks,
                         char* base, States* states) {
    const int64_t size = int64_t(key) * value, totals = round_up(chunks * key, 64);
    T* at = reinterpret_cast<T*>(base);
    if (states) *states = {chunks, size, at, at + totals};
    return (totals + (gradient ? 4 : 2) * chunks * size) * sizeof(T);
  }
  T* get(int which, int64_t c) { return data + (which * chunks + c) * size; }
  // Nothing enters the first chunk from its left, nor the last from its right.
  T* left(int64_t c) { return c ? get(0, c) : nullptr; }
  T* right(int64_t c) { return c < chunks - 1 ? get(1, c) : nullptr; }
  T* left_adjoint(int64_t c) { return c ? get(2, c) : nullptr; }
  T* right_adjoint(int64_t c) { return c < chunks - 1 ? get(3, c) : nullptr; }
};

constexpr int64_t kCarryRows = 8;

template <class T, class In>
struct Worker {
  const Problem& problem;
  bool gradient;
  int64_t batch, head, tokens, chunks, carries;
  int64_t direction = 1;  // in which its chunks follow each other
  int size, key, value;   // tokens per chunk, padded head sizes
  CpuTeam<T> team;
  ChunkMemory<T, T> mem;
  States<T> states;
  Chunk<CpuTeam<T>> chunk;

  static Sizes lay_out(const Problem& p, bool gradient, char* base, Worker* worker) {
    const int lanes = CpuTeam<T>::kLanes;
    const int size = chunk_tokens(p.tokens, p.key, p.value);
    const int key = round_up(p.key, lanes), value = round_up(p.value, lanes);
    const int64_t chunks = (p.tokens + size - 1) / size;
    const int64_t carries = (gradient ? 4 : 2) * ((key + kCarryRows - 1) / kCarryRows);
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
    const int64_t bytes =
        States<T>::lay_out(p, gradient, key, value, chunks, base + at,
                           worker ? &worker->states : nullptr);
    if (worker) {
      worker->size = size, worker->key = key, worker->value = value;
      worker->chunks = chunks, worker->carries = carries, worker->tokens = p.tokens;
      worker->mem = mem;
      worker->team.carry = carry, worker->team.transposed = transposed;
      worker->team.step = step;
    }
    return {{1, chunks, carries, chunks}, size_t(at), size_t(bytes)};
  }

  // One head, for any of the batch: what depends on the head alone is made once.
  Worker(const Problem& p, int64_t head_, bool gradient_, char* scratch)
      : problem(p), gradient(gradient_), batch(0), head(head_),
        chunk(team, mem, p.static_decay, true) {
    lay_out(p, gradient, scratch, this);
    // Padding channels are never written again; zeros there stay out of every sum.
    for (T* x : {mem.r, mem.k, mem.w}) clear(x, size * key, p.key != key);
    for (T* x : {mem.v, gradient ? mem.dy : mem.v}) clear(x, size * value, p.value != value);
    clear(mem.u, key, true);
    std::memcpy(mem.u, static_cast<const T*>(p.u) + head * p.key, p.key * sizeof(T));
    if (p.static_decay) load_row(mem.w, p.w, T(), 0, p.key);
  }
  void place_states(char* base) {
    States<T>::lay_out(problem, gradient, key, value, chunks, base, &states);
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

  void begin(int64_t c, bool receptance) {
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
  // Chunk c of a batch entry comes next: what nobody has touched of it yet, before its
  // share is taken (`first`) or its results are made (`last`).
  void expect(int64_t b, int64_t c, bool first, bool last) {
    team.upcoming.clear();
    if (b == problem.batch || c < 0 || c == chunks) return;
    if (first) {
      expect_rows(problem.k, In(), b, c, problem.key);
      expect_rows(problem.v, In(), b, c, problem.value);
      if (!problem.static_decay) expect_rows(problem.w, T(), b, c, problem.key);
      if (gradient) expect_rows(problem.dy, In(), b, c, problem.value);
    }
    if (gradient ? first : last) expect_rows(problem.r, In(), b, c, problem.key);
    if (!last) return;
    if (!gradient) return expect_rows(problem.y, In(), b, c, problem.value);
    expect_rows(problem.dr, In(), b, c, problem.key);
    expect_rows(problem.dk, In(), b, c, problem.key);
    expect_rows(problem.dv, In(), b, c, problem.value);
  }

  void share(int64_t c) {
    begin(c, gradient);
    std::memcpy(states.totals + c * key, mem.total, key * sizeof(T));
    expect(batch, c + direction, true, false);
    if (c) chunk.make_state(states.right(c - 1), mem.k, mem.v, Border::left());
    if (c < chunks - 1) chunk.make_state(states.left(c + 1), mem.k, mem.v, Border::right());
    if (!gradient) return;
    if (c) chunk.make_state(states.right_adjoint(c - 1), mem.r, mem.dy, Border::left());
    if (c < chunks - 1)
      chunk.make_state(states.left_adjoint(c + 1), mem.r, mem.dy, Border::right());
  }

  // Part of the states, on their way through all chunks: some rows of one kind of them.
  void carry(int64_t part) {
    const int64_t which = part % (gradient ? 4 : 2), row = part / (gradient ? 4 : 2) * kCarryRows;
    const bool rightwards = which % 2 == 0;
    const int64_t end = std::min<int64_t>(row + kCarryRows, key);
    for (int64_t step = 1; step < chunks - 1; ++step) {
      const int64_t c = rightwards ? step : chunks - 1 - step;
      const T* from = states.get(which, c);
      T* to = states.get(which, rightwards ? c + 1 : c - 1);
      const T* total = states.totals + c * key;
      for (int64_t i = row; i < end; ++i) {
        const T* in = from + i * value;
        T* out = to + i * value;
#pragma GCC ivdep
        for (int j = 0; j < value; ++j) out[j] += in[j] + total[i] * in[j];
      }
    }
  }

  // Where chunk c leaves what it adds to a parameter's gradient.
  T* shares_of(void* shares, int64_t c) {
    return static_cast<T*>(shares) +
           ((batch * problem.heads + head) * chunks + c) * problem.key;
  }

  void finish(int64_t c) {
    begin(c, true);
    const int64_t next = c + direction;
    next < chunks ? expect(batch, next, false, true) : expect(batch + 1, 0, true, chunks == 1);
    if (!gradient) {
      chunk.output(states.left(c), states.right(c));
      return store(mem.y, value, problem.y, c, problem.value);
    }
    clear(mem.du, key, true);
    chunk.gradients(states.left(c), states.right(c), states.left_adjoint(c),
                    states.right_adjoint(c));
    store(mem.dr, key, problem.dr, c, problem.key);
    store(mem.dk, key, problem.dk, c, problem.key);
    store(mem.dv, value, problem.dv, c, problem.value);
    std::memcpy(shares_of(problem.du_shares, c), mem.du, problem.key * sizeof(T));
    if (problem.static_decay)
      std::memcpy(shares_of(problem.dw_shares, c), mem.dw, problem.key * sizeof(T));
    else
      for (int i = 0; i < length(c); ++i)
        store_row(mem.dw + i * key, problem.dw, T(), c * size + i, problem.key);
  }

  void whole() {
    if (chunks > 1) {
      for (int64_t c = 0; c < chunks; ++c) share(c);
      for (int64_t part = 0; part < carries; ++part) carry(part);
    }
    for (int64_t c = 0; c < chunks; ++c) finish(c);
  }
};

// Every task of the step has been taken already, by threads that are at it: a moment.
void wait_for(const CpuWork& work, int step) {
  constexpr int kPatience = 200;
  for (int tries = 0; work.done[step].load(std::memory_order_acquire) < work.tasks(step);)
    if (++tries > kPatience) std::this_thread::yield();
}

template <class T, class In>
void run_as(CpuWork& work, char* scratch) {
  const Problem& p = work.problem;
  std::optional<Worker<T, In>> worker;
  const bool backwards = work.threads.fetch_add(1, std::memory_order_relaxed) % 2;
  int64_t first = 0;  // task of the step
  for (int step = kWhole; step < kSteps;) {
    int64_t task = work.next.fetch_add(1, std::memory_order_relaxed);
    while (step < kSteps && task >= first + work.tasks(step)) first += work.tasks(step++);
    if (step == kSteps) return;
    task -= first;
    const bool chunkwise = step == kShare || step == kFinish;
    if (chunkwise)
      task = backwards ? work.tasks(step) - 1 -
                             work.from_end[step].fetch_add(1, std::memory_order_relaxed)
                       : work.from_front[step].fetch_add(1, std::memory_order_relaxed);
    const int64_t number = task / work.sizes.tasks[step], part = task % work.sizes.tasks[step];
    const int64_t sequence = (step ? work.whole : 0) + number, head = sequence / p.batch;
    if (!worker || worker->head != head) worker.emplace(p, head, work.gradient, scratch);
    worker->batch = sequence % p.batch;
    worker->direction = chunkwise && backwards ? -1 : 1;
    if (step) worker->place_states(work.states + number * work.sizes.states);
    if (step > kShare) wait_for(work, step - 1);
    switch (step) {
      case kWhole: worker->whole(); break;
      case kShare: worker->share(part); break;
      case kCarry: worker->carry(part); break;
      case kFinish: worker->finish(part); break;
    }
    work.done[step].fetch_add(1, std::memory_order_release);
  }
}

void run(CpuWork& work, char* scratch) {
  FlushDenormals flush;
  switch (work.problem.type) {
    case Type::kFloat: return run_as<float, float>(work, scratch);
    case Type::kDouble: return run_as<double, double>(work, scratch);
    case Type::kBfloat16: return run_as<float, Bfloat16>(work, scratch);
  }
}

Sizes sizes(const Problem& p, bool gradient) {
  return p.type == Type::kDouble ? Worker<double, double>::lay_out(p, gradient, nullptr, nullptr)
                                 : Worker<float, float>::lay_out(p, gradient, nullptr, nullptr);
}

template <class T>
void add_shares_as(const Problem& p, const void* shares, void* out) {
  const int64_t chunks = sizes(p, true).tasks[kShare];
  const T* x = static_cast<const T*>(shares);
  for (int64_t head = 0; head < p.heads; ++head)
    for (int j = 0; j < p.key; ++j) {
      double sum = 0;
      for (int64_t b = 0; b < p.batch; ++b)
        for (int64_t c = 0; c < chunks; ++c)
          sum += x[((b * p.heads + head) * chunks + c) * p.key + j];
      static_cast<T*>(out)[head * p.key + j] = T(sum);
    }
}

void add_shares(const Problem& p, const void* shares, void* out) {
  p.type == Type::kDouble ? add_shares_as<double>(p, shares, out)
                          : add_shares_as<float>(p, shares, out);
}

}  // namespace

extern const CpuKernel LCR_NAME(cpu_kernel);
const CpuKernel LCR_NAME(cpu_kernel) = {LCR_STRING(LCR_ISA), supported, sizes, run, add_shares};

}  // namespace lcr
