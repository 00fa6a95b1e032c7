// PyTorch's own threads, for kernels outside PyTorch.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace lcr {

// Runs `f` on that many of PyTorch's threads at once, or on fewer where PyTorch has fewer
// to give. An iterator's loop is compiled into PyTorch itself and so always runs on its
// threads. at::parallel_for does not: it is a header, sequential in whatever is compiled
// without OpenMP, and OpenMP would bring a runtime and threads of its own.
template <class F>
void on_threads(int64_t threads, const F& f) {
  if (threads <= 1) return f();
  at::Tensor places = at::empty({threads}, at::kByte);
  auto iterator = at::TensorIterator::nullary_op(places);
  iterator.for_each([&](char**, const int64_t*, int64_t) { f(); }, 1);
}

}  // namespace lcr
