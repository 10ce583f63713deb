// SPDX-License-Identifier: BSD-3-Clause
// Sparse kernel sum ε_i = δ² Σ_m w_m κ_c(a_i, a_m) (p̂_i · p̂_m + offset)^ζ for a block of centres
// of one species, or of any where the set serves all, docs/theory.md eq. (7), (7b) and (7d), and
// its gradient. A compressed set has y_i = P p̂_i in place of p̂_i; p̂ = p where the kernel is not
// normalised. Recoupled features meet points that have the matrix R already, which leaves
// p̂_i = p_i / |u_i| here, eq. (5j). Targets are further sums with weights of their own, eq. (23).
#pragma once

#include "base/simd.hpp"
#include "features/feature_term.hpp"

namespace soap_gpr {

struct KernelColumns;

constexpr int kKernelTile = 64;  ///< sparse points at a time: a tile of them stays in L2

/// The sum over one sparse set, whose points are read where the model has them.
class KernelSum {
 public:
  /// Where it pays, the sum over sparse points is collapsed: done once, here. kernel and sparse
  /// outlive the object. A set without weights is for its kernels alone.
  KernelSum(const Kernel &kernel, const SparseSet &sparse, int n_features);

  /// energy[n] += ε; when g is given, g[n][n_features] = ∂ε/∂p of the unnormalised power spectrum.
  /// species[n]: of the centres; dual[n][n_features]: see UnitLength; norm[n]: |p|, or 1 where the
  /// kernel is not normalised; scratch[scratch_size(n)]. When given, targets[n_targets()][n] get
  /// the same sums with the weights of the set's targets, and `kernels` the k(i, m).
  void add(int n, const int *species, const double *p_hat, const double *dual, const double *norm,
           double *scratch, double *energy, double *g, double *targets = nullptr,
           const KernelColumns *kernels = nullptr) const;
  /// These kernels alone.
  void fill_kernels(int n, const int *species, const double *p_hat, double *scratch,
                    const KernelColumns &kernels) const {
    add(n, species, p_hat, p_hat, nullptr, scratch, nullptr, nullptr, nullptr, &kernels);
  }
  std::size_t scratch_size(int n) const;
  bool empty() const { return sparse_.size == 0; }
  std::size_t n_targets() const { return sparse_.targets.size(); }
  /// The place among the targets of the model of one of those.
  std::size_t target(std::size_t k) const { return sparse_.targets[k].target; }

  struct Panel;

 private:
  void add_collapsed_targets(const Panel &panel, int n, double *targets) const;

  const Kernel &kernel_;
  const SparseSet &sparse_;
  int n_features_;
  /// ζ = 1: ∂ε/∂y [rank], of every species of the centre where the set couples them; ζ = 2 with
  /// many points: the matrix [rank]² that gives ∂ε/∂y. Empty when the sum over sparse points is the
  /// cheaper form.
  AlignedVector collapsed_;
  /// The same of the targets, of ζ = 2 for values alone; empty when their sums are cheaper.
  std::vector<AlignedVector> collapsed_targets_;
};

}  // namespace soap_gpr
