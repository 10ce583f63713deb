// SPDX-License-Identifier: BSD-3-Clause
// Some of a block's centres side by side, so that every operation of a kernel sum runs over
// centres.
#pragma once

#include <algorithm>

#include "base/block_product.hpp"
#include "features/feature_term.hpp"

namespace soap_gpr {

/// Sparse points at a time: a tile of them stays in L2.
constexpr int kKernelTile = 64 / kPanelRows * kPanelRows;

struct KernelPanel {
  /// The centres from `first` on of a block of n, as many as a panel takes. n_columns: further sums
  /// over the points.
  KernelPanel(const SparseSet &sparse, int n_features, int n_columns, int n, int first,
              const int *centers, double *scratch)
      : begin(first),
        size(std::min(kPanelWidth, n - first)),
        width(padded(size)),
        species(centers + first),
        p_hat(scratch + first * rows(sparse, n_features, n_columns)),
        g(p_hat + std::size_t(width) * n_features),
        k(g + std::size_t(width) * n_features),
        values(k + std::size_t(width) * kKernelTile),
        coupling(values + std::size_t(width) * kKernelTile),
        sums(coupling + std::size_t(width) * sparse.coupling.size()),
        spare(sums + std::size_t(width) * n_columns),
        y(sparse.projection.empty() ? p_hat : spare + std::size_t(width) * n_columns),
        h(sparse.projection.empty() ? g : y + std::size_t(width) * sparse.rank) {}

  /// Numbers that a panel holds of each centre.
  static std::size_t rows(const SparseSet &sparse, int n_features, int n_columns) {
    const std::size_t reduced = sparse.projection.empty() ? 0 : sparse.rank;
    return 2 * (n_features + kKernelTile + n_columns + reduced) + sparse.coupling.size();
  }

  int begin, size;  ///< centres of the block
  int width;        ///< size padded to whole vectors; the lanes beyond hold zeros
  const int *species;
  double *p_hat;     ///< [n_features][width]
  double *g;         ///< [n_features][width] ∂ε/∂p̂
  double *k;         ///< [kKernelTile][width]
  double *values;    ///< [kKernelTile][width] kernels where more than energies are asked for
  double *coupling;  ///< [species of points][width] κ_c, where the set couples species
  double *sums;      ///< [n_columns][width]
  double *spare;     ///< [n_columns][width]
  double *y;         ///< [rank][width] P p̂, p_hat itself without a projection
  double *h;         ///< [rank][width] ∂ε/∂y, g itself without a projection
};

}  // namespace soap_gpr
