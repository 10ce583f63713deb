// SPDX-License-Identifier: BSD-3-Clause
#include "base/packed_rows.hpp"

#include <type_traits>

namespace soap_gpr {

namespace {

/// Numbers of A that are fetched before their turn: rows that no product has met for a while come
/// from far, one stream of them, and a processor by itself does not fetch beyond the end of a page.
constexpr int kAhead = 2048;

/// C[n][V * kLanes] = A X[size][V * kLanes] for n packed rows of A: block_product where what lies
/// between the numbers of A is known when it is compiled.
template <int V, int Rows = kPanelRows>
void multiply_rows(std::size_t size, int n, const double *a, const double *X, double *C) {
  int row = 0;
  for (; row + Rows <= n; row += Rows) {
    const double *block = a + row * (Rows == kPanelRows ? size : 1), *x = X;
    Lanes sums[Rows][V] = {};
    for (std::size_t k = 0; k < size; ++k, x += V * kLanes) {
      __builtin_prefetch(block + k * kPanelRows + kAhead);
      Lanes own[V];
      for (int v = 0; v < V; ++v) own[v] = load(x + v * kLanes);
      for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < V; ++v) sums[r][v] += block[k * kPanelRows + r] * own[v];
    }
    double *c = C + std::size_t(row) * V * kLanes;
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < V; ++v) store(c + (r * V + v) * kLanes, sums[r][v]);
  }
  if constexpr (Rows > 1)
    multiply_rows<V, Rows / 2>(size, n - row, a + row * (Rows == kPanelRows ? size : 1), X,
                               C + std::size_t(row) * V * kLanes);
}

/// C[size][V * kLanes] += Aᵀ X[n][V * kLanes] for n packed rows of A. The loops are those of
/// block_product.
template <int V, int Rows = kPanelRows>
void add_transposed_rows(std::size_t size, int n, std::size_t block_size, const double *a,
                         const double *X, double *C) {
  std::size_t row = 0;
  for (; row + Rows <= size; row += Rows) {
    double *c = C + row * V * kLanes;
    Lanes sums[Rows][V];
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < V; ++v) sums[r][v] = load(c + (r * V + v) * kLanes);
    const auto add = [&](const double *element, const double *x) {
      Lanes own[V];
      for (int v = 0; v < V; ++v) own[v] = load(x + v * kLanes);
      for (int r = 0; r < Rows; ++r)
        for (int v = 0; v < V; ++v) sums[r][v] += element[r * kPanelRows] * own[v];
    };
    const double *block = a + row * kPanelRows, *x = X;
    int k = 0;
    for (; k + kPanelRows <= n; k += kPanelRows, block += block_size)
      for (int q = 0; q < kPanelRows; ++q, x += V * kLanes) add(block + q, x);
    for (int q = 0; k + q < n; ++q, x += V * kLanes) add(block + q, x);
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < V; ++v) store(c + (r * V + v) * kLanes, sums[r][v]);
  }
  if constexpr (Rows > 1)
    add_transposed_rows<V, Rows / 2>(size - row, n, block_size, a + row * kPanelRows, X,
                                     C + row * V * kLanes);
}

/// call(std::integral_constant<int, V>) for the V vectors of a panel.
template <int V = kPanelVectors, class Call>
void with_vectors(int width, Call call) {
  if constexpr (V > 1)
    if (width < V * kLanes) return with_vectors<V - 1>(width, call);
  call(std::integral_constant<int, V>());
}

}  // namespace

PackedRows::PackedRows(const double *rows, std::size_t n, std::size_t size)
    : size_(size), values_((n + kPanelRows - 1) / kPanelRows * kPanelRows * size) {
  for (std::size_t i = 0; i < n; ++i) {
    double *out = &values_[i / kPanelRows * kPanelRows * size + i % kPanelRows];
    for (std::size_t k = 0; k < size; ++k) out[k * kPanelRows] = rows[i * size + k];
  }
}

void PackedRows::product(int width, int begin, int n, const double *X, double *C) const {
  with_vectors(width, [&](auto vectors) { multiply_rows<vectors>(size_, n, rows(begin), X, C); });
}

void PackedRows::add_transposed(int width, int begin, int n, const double *X, double *C) const {
  with_vectors(width, [&](auto vectors) {
    add_transposed_rows<vectors>(size_, n, kPanelRows * size_, rows(begin), X, C);
  });
}

}  // namespace soap_gpr
