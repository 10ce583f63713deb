// SPDX-License-Identifier: BSD-3-Clause
// Further weights of the points of a sparse set: those of targets, docs/theory.md eq. (23), or of
// the members of a committee, eq. (25c).
#pragma once

#include "base/block_product.hpp"
#include "features/feature_term.hpp"

namespace soap_gpr {

struct WeightColumns {
  /// all[n][size of the set], which outlives the object.
  WeightColumns(const SparseSet &sparse, const std::vector<double> &all)
      : n(sparse.size ? int(all.size() / sparse.size) : 0),
        n_points(sparse.size),
        weights(all.data()) {}

  int n;                  ///< columns
  std::size_t n_points;   ///< of the set
  const double *weights;  ///< [n][n_points]

  const double *of(int column) const { return weights + column * n_points; }

  /// sums[n][width] += what the `size` points from `begin` add, of kernels values[size][width].
  void add_tile(int begin, int size, int width, const double *values, double *sums) const {
    panel_product<true>(width, n, size, {weights + begin, n_points, 1}, values, sums);
  }
  /// weighed[size][width] = slopes[size][width] times the weights in a column of these points.
  void weigh(int column, int begin, int size, int width, const double *slopes,
             double *weighed) const {
    const double *own = of(column) + begin;
    for (int m = 0; m < size; ++m)
      for (int i = 0; i < width; i += kLanes, slopes += kLanes, weighed += kLanes)
        store(weighed, own[m] * load(slopes));
  }
};

}  // namespace soap_gpr
