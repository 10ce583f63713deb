// SPDX-License-Identifier: BSD-3-Clause
// Portable SIMD: eight doubles that the compiler maps to AVX-512, 2 × AVX2, 4 × NEON or SSE.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
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
inline double sum(const Lanes &v) {
  double total = v[0];
  for (int k = 1; k < kLanes; ++k) total += v[k];
  return total;
}
constexpr int padded(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

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
