// SPDX-License-Identifier: BSD-3-Clause
// Portable SIMD: eight doubles that the compiler maps to AVX-512, 2 × AVX2, 4 × NEON or SSE.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace soap_gpr {

// Vectors as wide as the processor's registers: wider ones are split by GCC element by element.
#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;  // SSE2, NEON
#endif
using Lanes = double __attribute__((vector_size(kLanes * sizeof(double))));

inline Lanes load(const double *p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(double *p, const Lanes &v) { std::memcpy(p, &v, sizeof v); }
inline Lanes broadcast(double x) { return x - Lanes{}; }
constexpr int padded(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)  // GCC 12, clang
#define SOAP_GPR_HAS_SHUFFLES
#endif
#endif

/// One step of a transposition: the off-diagonal blocks of Step columns of two rows change places.
/// As shuffles, where the compiler has them in words: it makes single loads of lists of elements.
template <std::size_t Step, std::size_t... k>
inline void exchange(Lanes &a, Lanes &b, std::index_sequence<k...>) {
#ifdef SOAP_GPR_HAS_SHUFFLES
  const Lanes first = __builtin_shufflevector(a, b, (k & Step ? kLanes + k - Step : k)...);
  b = __builtin_shufflevector(a, b, (k & Step ? kLanes + k : k + Step)...);
#else
  const Lanes first = {(k & Step ? b : a)[k & Step ? k - Step : k]...};
  b = Lanes{(k & Step ? b : a)[k & Step ? k : k + Step]...};
#endif
  a = first;
}
template <std::size_t Step>
__attribute__((always_inline)) inline void exchange_blocks(Lanes (&rows)[kLanes]) {
  if constexpr (Step < kLanes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kLanes; ++i)
      if (!(i & Step)) exchange<Step>(rows[i], rows[i + Step], std::make_index_sequence<kLanes>());
    exchange_blocks<2 * Step>(rows);
  }
}
/// kLanes rows become columns.
inline void transpose(Lanes *rows) {
  Lanes r[kLanes];
  for (int i = 0; i < kLanes; ++i) r[i] = rows[i];
  exchange_blocks<1>(r);
  for (int i = 0; i < kLanes; ++i) rows[i] = r[i];
}

/// std::vector storage on cache-line boundaries.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U> &) {}
  T *allocate(std::size_t n) {
    return static_cast<T *>(::operator new(n * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T *p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
  bool operator==(const AlignedAllocator &) const { return true; }
  bool operator!=(const AlignedAllocator &) const { return false; }
};
using AlignedVector = std::vector<double, AlignedAllocator<double>>;

}  // namespace soap_gpr
