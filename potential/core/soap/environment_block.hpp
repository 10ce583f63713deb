// SPDX-License-Identifier: BSD-3-Clause
// Power spectra of a block of centres of one species and one term: the part that evaluation and
// training share. Holds all scratch memory, so that one object per thread allocates only once.
#pragma once

#include "model_data.hpp"
#include "soap/expansion.hpp"

namespace soap_gpr {

class EnvironmentBlock {
 public:
  EnvironmentBlock(const SoapTerm &term, int capacity);

  // The stages of an evaluation, in this order:

  /// Neighbours of `n` centres of one species.
  void gather(const Environments &environments, const std::size_t *centers, int n);
  void expand();
  /// Unit-length power spectra.
  void power_spectra();
  /// ∂ε/∂c from g[n][n_features] = ∂ε/∂p.
  void power_spectra_adjoint(const double *g);
  /// f_ij[pair] -= ∂ε_i/∂r_ij
  void expansion_adjoint(double (*f_ij)[3]);

  /// The first three.
  void compute(const Environments &environments, const std::size_t *centers, int n) {
    gather(environments, centers, n);
    expand();
    power_spectra();
  }

  const double *p_hat() const { return p_hat_.data(); }  ///< [n][n_features]
  const double *norm() const { return norm_.data(); }    ///< [n] |p|
  const double *coefficients(int i) const { return &c_[std::size_t(i) * term_.n_coefficients]; }
  const Neighborhood &neighborhood(int i) const { return neighborhoods_[i]; }
  Expansion &expansion() { return expansion_; }

 private:
  const SoapTerm &term_;
  Expansion expansion_;
  int n_ = 0, species_ = 0;
  std::vector<std::size_t> offset_;          ///< [capacity] where a centre's pairs begin
  std::vector<Neighborhood> neighborhoods_;  ///< [capacity]
  AlignedVector c_, p_hat_, norm_, g_c_, scratch_;
};

}  // namespace soap_gpr
