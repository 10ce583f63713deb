// SPDX-License-Identifier: BSD-3-Clause
// Further weights of the points of a sparse set: those of targets, docs/theory.md eq. (23), of the
// members of a committee, eq. (25c), and of what these say of targets, eq. (25n).
#pragma once

#include "base/block_product.hpp"
#include "features/feature_term.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

enum ColumnKind { kTargets, kMembers, kTargetMembers, kColumnKinds };

inline const std::vector<double> &column_weights(const SparseSet &set, int kind) {
  return kind == kTargets   ? set.target_weights
         : kind == kMembers ? set.members
                            : set.target_members;
}

/// Where the sums over a column of a set go: a row of the output of its kind, which follows.
inline std::size_t column_row(const SparseSet &set, int kind, std::size_t column) {
  if (kind == kMembers) return column;
  if (kind == kTargets) return set.targets[column];
  const std::size_t n_members = set.target_members.size() / (set.targets.size() * set.size);
  return set.targets[column / n_members] * n_members + column % n_members;
}

/// [rows][n_atoms], or null.
inline double *column_output(const Outputs &outputs, int kind) {
  return kind == kTargets   ? outputs.targets
         : kind == kMembers ? outputs.members
                            : outputs.target_members;
}

struct WeightColumns {
  WeightColumns(const SparseSet &sparse, int kind)
      : WeightColumns(sparse, column_weights(sparse, kind)) {}
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
