// SPDX-License-Identifier: BSD-3-Clause
// Features of a block of centres of any species for one term: the part that evaluation and training
// share. Holds all scratch memory, so that one object per thread allocates only once.
#pragma once

#include "soap/expansion.hpp"
#include "soap/soap_layout.hpp"

namespace soap_gpr {

class EnvironmentBlock {
 public:
  EnvironmentBlock(const SoapLayout &soap, int capacity);

  // The stages of an evaluation, in this order:

  /// Neighbours of `n` centres.
  void gather(const Environments &environments, const std::size_t *centers, int n);
  void expand();
  /// Features, of unit length where the kernel is normalised.
  void represent();
  /// ∂ε/∂c from g[n][n_features] = ∂ε/∂p.
  void representation_adjoint(const double *g);
  /// f_ij[pair] -= ∂ε_i/∂r_ij
  void expansion_adjoint(double (*f_ij)[3]);

  /// The first three.
  void compute(const Environments &environments, const std::size_t *centers, int n) {
    gather(environments, centers, n);
    expand();
    represent();
  }

  const int *species() const { return species_.data(); }  ///< [n] of the centres
  const double *p_hat() const { return p_hat_.data(); }   ///< [n][n_features]
  const double *norm() const { return norm_.data(); }     ///< [n] |p|, 1 where not normalised
  const double *coefficients(int i) const { return &c_[i * row()]; }
  const Neighborhood &neighborhood(int i) const { return neighborhoods_[i]; }
  Expansion &expansion() { return expansion_; }

 private:
  std::size_t row() const { return soap_.density.n_coefficients; }

  const SoapLayout &soap_;
  Expansion expansion_;
  int n_ = 0;
  std::vector<int> species_;                 ///< [capacity]
  std::vector<std::size_t> offset_;          ///< [capacity] where a centre's pairs begin
  std::vector<Neighborhood> neighborhoods_;  ///< [capacity]
  AlignedVector c_, p_hat_, norm_, g_c_, scratch_;
};

}  // namespace soap_gpr
