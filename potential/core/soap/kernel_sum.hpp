// SPDX-License-Identifier: BSD-3-Clause
// Sparse kernel sum ε_i = δ² Σ_m w_m κ_c(a_i, a_m) (p̂_i · p̂_m + offset)^ζ for a block of centres
// of one species, or of any where the set serves all, docs/theory.md eq. (7), (7b) and (7d), and
// its gradient. A compressed set has y_i = P p̂_i in place of p̂_i; p̂ = p where the kernel is not
// normalised. Recoupled features meet points that have the matrix R already, which leaves
// p̂_i = p_i / |u_i| here, eq. (5j). Targets and members are further sums with weights of their own.
#pragma once

#include "soap/column_sums.hpp"

namespace soap_gpr {

struct KernelColumns;

/// The sum over one sparse set, whose points are read where the model has them.
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
    double *energy = nullptr;   ///< [n] += ε
    double *g = nullptr;        ///< [n][n_features] = ∂ε/∂p of the unnormalised power spectrum
    double *targets = nullptr;  ///< [n_targets()][n] += the sums with the weights of targets
    double *members = nullptr;  ///< [n_members()][n] += and of members
    double *slopes = nullptr;   ///< [slopes_size(n)] for member_gradients
    const KernelColumns *kernels = nullptr;  ///< = k(i, m)
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
  int n_targets() const { return targets_.columns.n; }
  int n_members() const { return members_.columns.n; }
  /// The place among the targets of the model of one of those.
  std::size_t target(std::size_t k) const { return sparse_.targets[k]; }

 private:
  int n_columns() const { return n_targets() + n_members(); }
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
  ColumnSums targets_, members_;
};

}  // namespace soap_gpr
