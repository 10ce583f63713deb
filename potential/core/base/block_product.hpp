// SPDX-License-Identifier: BSD-3-Clause
// C[rows][columns] = A[rows][depth] X[depth][columns] for the few columns (centres) of a panel and
// an A that is read in place. A general matrix product copies A into its own order first, which
// does not pay when A, all sparse points, meets only some tens of centres at a time.
#pragma once

#include "base/simd.hpp"

namespace soap_gpr {

// Rows × vectors of C kept in registers: as many as the processor has, less those for A and X.
#if defined(__AVX512F__)
constexpr int kPanelRows = 8, kPanelVectors = 3;
#elif defined(__aarch64__)
constexpr int kPanelRows = 6, kPanelVectors = 4;
#else
constexpr int kPanelRows = 4, kPanelVectors = 3;
#endif
constexpr int kPanelWidth = kPanelVectors * kLanes;  ///< centres in a full panel

/// A[r][k] is at a[r * row_stride + k * column_stride].
struct Strided {
  const double *a;
  std::size_t row_stride, column_stride;
};

/// C = A X, or C += A X when Add; X[depth][V * kLanes] and C[rows][V * kLanes].
template <int V, bool Add, int Rows = kPanelRows>
void block_product(int rows, int depth, Strided A, const double *X, double *C) {
  int row = 0;
  for (; row + Rows <= rows; row += Rows) {
    const double *a = A.a + row * A.row_stride;
    double *c = C + std::size_t(row) * V * kLanes;
    Lanes sums[Rows][V];
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < V; ++v)
        sums[r][v] = Add ? load(c + (r * V + v) * kLanes) : broadcast(0.0);
    for (int k = 0; k < depth; ++k) {
      Lanes x[V];
      for (int v = 0; v < V; ++v) x[v] = load(X + (std::size_t(k) * V + v) * kLanes);
      for (int r = 0; r < Rows; ++r) {
        const double element = a[r * A.row_stride + k * A.column_stride];
        for (int v = 0; v < V; ++v) sums[r][v] += element * x[v];
      }
    }
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < V; ++v) store(c + (r * V + v) * kLanes, sums[r][v]);
  }
  if constexpr (Rows > 1)
    block_product<V, Add, Rows / 2>(rows - row, depth,
                                    {A.a + row * A.row_stride, A.row_stride, A.column_stride}, X,
                                    C + std::size_t(row) * V * kLanes);
}

/// The same for a panel of `width` columns, a multiple of kLanes up to kPanelWidth.
template <bool Add, int V = kPanelVectors>
void panel_product(int width, int rows, int depth, Strided A, const double *X, double *C) {
  if constexpr (V > 1)
    if (width < V * kLanes) return panel_product<Add, V - 1>(width, rows, depth, A, X, C);
  block_product<V, Add>(rows, depth, A, X, C);
}

}  // namespace soap_gpr
