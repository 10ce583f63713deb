// SPDX-License-Identifier: BSD-3-Clause
// Where energies and their derivatives go in the rows of one structure, docs/theory.md eq. (10-12).
#pragma once

#include <cstddef>

#include "base/voigt.hpp"

namespace soap_gpr {

/// rows[1 + 3 n_atoms + 6][n_columns]: energy, forces atom by atom, virial xx, yy, zz, yz, xz, xy.
class DesignRows {
 public:
  DesignRows(std::size_t n_atoms, std::size_t n_columns, double *rows)
      : n_atoms_(n_atoms), n_columns_(n_columns), rows_(rows) {}

  double &energy(std::size_t column) { return rows_[column]; }

  /// For an energy whose gradient with respect to r_ij is slope × r_ij.
  void add_gradient(std::size_t column, std::size_t i, std::size_t j, const double *r_ij,
                    double slope) {
    double *own = rows_ + column;
    for (int x = 0; x < 3; ++x) {
      own[(1 + 3 * i + x) * n_columns_] += slope * r_ij[x];
      own[(1 + 3 * j + x) * n_columns_] -= slope * r_ij[x];
    }
    for (int v = 0; v < 6; ++v)
      own[(1 + 3 * n_atoms_ + v) * n_columns_] -= slope * r_ij[kVoigt[v][0]] * r_ij[kVoigt[v][1]];
  }

  /// All columns at once, with any gradient[3][n_columns].
  void add_gradients(std::size_t i, std::size_t j, const double *r_ij, const double *gradient) {
    for (int x = 0; x < 3; ++x) {
      add(1 + 3 * i + x, 1.0, gradient + x * n_columns_);
      add(1 + 3 * j + x, -1.0, gradient + x * n_columns_);
    }
    for (int v = 0; v < 6; ++v)
      add(1 + 3 * n_atoms_ + v, -r_ij[kVoigt[v][1]], gradient + kVoigt[v][0] * n_columns_);
  }

 private:
  void add(std::size_t row, double scale, const double *values) {
    double *own = rows_ + row * n_columns_;
    for (std::size_t m = 0; m < n_columns_; ++m) own[m] += scale * values[m];
  }

  std::size_t n_atoms_, n_columns_;
  double *rows_;
};

}  // namespace soap_gpr
