// SPDX-License-Identifier: BSD-3-Clause
// A matrix A[n][size] that meets many panels of columns, as A and as its transpose. Some rows of it
// at a time lie side by side, so that both products read memory in order: with whole rows one after
// the other, the transpose takes every number from another page.
#pragma once

#include "base/block_product.hpp"

namespace soap_gpr {

class PackedRows {
 public:
  PackedRows() = default;
  /// A copy of rows[n][size].
  PackedRows(const double *rows, std::size_t n, std::size_t size);

  bool empty() const { return values_.empty(); }
  /// C[n][width] = A X[size][width] for the n rows from `begin` on, a multiple of kPanelRows.
  void product(int width, int begin, int n, const double *X, double *C) const;
  /// C[size][width] += Aᵀ X[n][width] for these rows.
  void add_transposed(int width, int begin, int n, const double *X, double *C) const;

 private:
  const double *rows(int begin) const { return &values_[begin * size_]; }

  std::size_t size_ = 0;
  AlignedVector values_;  ///< [n / kPanelRows][size][kPanelRows], zeros beyond the last row
};

}  // namespace soap_gpr
