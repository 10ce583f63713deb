// SPDX-License-Identifier: BSD-3-Clause
// Sparse kernel sum ε_i = δ² Σ_m w_m κ_c(a_i, a_m) (p̂_i · p̂_m + offset)^ζ for a block of centres
// of one species, or of any where the set serves all, docs/theory.md eq. (7), (7b) and (7d), and
// its gradient. A compressed set has y_i = P p̂_i in place of p̂_i; p̂ = p where the kernel is not
// normalised. Recoupled features meet points that have the matrix R already, which leaves
// p̂_i = p_i / |u_i| here, eq. (5j). Targets and members are further sums with weights of their own.
#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "base/made_once.hpp"
#include "base/packed_rows.hpp"
#include "soap/column_sums.hpp"

namespace soap_gpr {

struct KernelColumns;

/// The sum over one sparse set, with a copy of its points where the sum runs over them.
class KernelSum {
 public:
  /// Where it pays, the sum over sparse points is collapsed: done once, here. kernel and sparse
  /// outlive the object. A set without weights is for its kernels alone.
  KernelSum(const Kernel &kernel, const SparseSet &sparse, int n_features);

  /// Centres and their features.
  struct Centers {
    int n;
    const int *species;   ///< [n]
    const double *p_hat;  ///< [n][n_features]
    const double *dual;   ///< [n][n_features] see UnitLength
    const double *norm;   ///< [n] |p|, or 1 where the kernel is not normalised
  };
  /// What is asked for: null is not computed.
  struct Sums {
    double *energy = nullptr;  ///< [n] += ε
    double *g = nullptr;       ///< [n][n_features] = ∂ε/∂p of the unnormalised power spectrum
    double *columns[kColumnKinds] = {};  ///< of a kind [n_columns(kind)][n] += the sums with these
    double *slopes = nullptr;            ///< [slopes_size(n)] for member_gradients
    const KernelColumns *kernels = nullptr;  ///< = k(i, m)

    bool has_columns() const {
      return std::any_of(columns, columns + kColumnKinds, [](double *own) { return own; });
    }
  };

  /// scratch[scratch_size(n)].
  void add(const Centers &centers, double *scratch, const Sums &sums) const;
  /// h[count][gradient_size(n)] = ∂ε/∂y of some members, after add() with the same centres and
  /// scratch, and with slopes where their size is not zero. All members meet a tile of points while
  /// it is near.
  void member_gradients(int first, int count, const Centers &centers, double *scratch,
                        const double *slopes, double *h) const;
  /// g from h of one of them.
  void finish_gradient(const Centers &centers, double *scratch, double *h, double *g) const;

  std::size_t scratch_size(int n) const;
  std::size_t slopes_size(int n) const;
  std::size_t gradient_size(int n) const;
  bool empty() const { return sparse_.size == 0; }
  int n_columns(int kind) const { return columns_[kind].columns.n; }
  /// As ``column_row``.
  std::size_t row(int kind, std::size_t column) const { return column_row(sparse_, kind, column); }

 private:
  const PackedRows &points() const;
  int n_columns() const;
  /// Where a panel has the sums of a kind, one after the other.
  double *sums_of(const KernelPanel &panel, int kind) const;
  KernelPanel panel_at(int first, const Centers &centers, double *scratch) const;
  /// With its gradient in this h, when given.
  KernelPanel panel_at(int first, const Centers &centers, double *scratch, double *h) const;
  void load_centers(const Centers &centers, double *scratch, const Sums &sums) const;
  void add_collapsed(const Centers &centers, double *scratch, const Sums &sums) const;
  void add_points(const Centers &centers, double *scratch, const Sums &sums) const;
  void add_tile(int begin, int n, const KernelPanel &panel, const Sums &sums) const;
  void hand_out(const Centers &centers, double *scratch, const Sums &sums) const;

  const Kernel &kernel_;
  const SparseSet &sparse_;
  int n_features_;
  AlignedVector collapsed_;  ///< empty when the sum over sparse points is the cheaper form
  std::array<ColumnSums, kColumnKinds> columns_;
  PackedRows projection_;  ///< empty without one
  std::unique_ptr<MadeOnce<PackedRows>> points_ = std::make_unique<MadeOnce<PackedRows>>();
};

}  // namespace soap_gpr
