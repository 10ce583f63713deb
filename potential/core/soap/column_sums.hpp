// SPDX-License-Identifier: BSD-3-Clause
// Sums over the kernels of a sparse set with further weights, and what stands for them where that
// is cheaper.
#pragma once

#include <memory>

#include "base/made_once.hpp"
#include "soap/kernel_panel.hpp"
#include "soap/weight_columns.hpp"

namespace soap_gpr {

class ColumnSums {
 public:
  /// weights[n_columns][size of the set]; all arguments outlive the object.
  ColumnSums(const Kernel &kernel, const SparseSet &sparse, const std::vector<double> &weights);

  const WeightColumns columns;

  /// Whether values need no points: one pass over them serves all columns, a matrix one of them.
  bool collapsed() const { return !collapsed_.empty(); }
  /// The same of gradients: every column takes a pass of its own over the points.
  bool collapsed_gradients() const;

  /// sums[columns.n][width] += what all points add, where values are collapsed.
  void add_collapsed(const KernelPanel &panel, double *sums) const;
  /// panel.h = ∂/∂y of a column, where gradients are collapsed.
  void collapsed_gradient(int column, const KernelPanel &panel) const;

 private:
  using Matrices = std::vector<AlignedVector>;

  int zeta() const { return kernel_.integer_zeta(); }
  void collapse();

  const Kernel &kernel_;
  const SparseSet &sparse_;
  /// ζ = 1: of each species of the centre where the set couples them, [columns.n][rank]; ζ = 2: of
  /// each column upper blocks of a matrix. Empty when sums over points are the cheaper form.
  Matrices collapsed_;
  std::unique_ptr<MadeOnce<Matrices>> gradients_ = std::make_unique<MadeOnce<Matrices>>();
};

}  // namespace soap_gpr
