// SPDX-License-Identifier: BSD-3-Clause
#include "environment_block.hpp"

#include "kernel.hpp"
#include "power_spectrum.hpp"

namespace soap_gpr {

EnvironmentBlock::EnvironmentBlock(const SoapTerm &term, int capacity)
    : term_(term), expansion_(term), neighborhoods_(capacity) {
  c_.resize(std::size_t(capacity) * term.n_coefficients);
  p_hat_.resize(std::size_t(capacity) * term.n_features);
  norm_.resize(capacity);
  g_c_.resize(term.n_coefficients);
  scratch_.resize(power_spectrum_scratch(term));
}

void EnvironmentBlock::compute(const Environments &environments, const std::size_t *centers,
                               int n) {
  n_ = n;
  centers_ = centers;
  for (int i = 0; i < n; ++i) {
    double *c = &c_[std::size_t(i) * term_.n_coefficients];
    neighborhoods_[i].gather(term_, environments, centers[i]);
    expansion_.coefficients(neighborhoods_[i], environments.species[centers[i]], c);
    power_spectrum(term_, c, &p_hat_[std::size_t(i) * term_.n_features]);
  }
  normalize(term_, n, p_hat_.data(), norm_.data());
}

void EnvironmentBlock::backward(const Environments &environments, const double *g,
                                double (*f_ij)[3]) {
  for (int i = 0; i < n_; ++i) {
    power_spectrum_adjoint(term_, coefficients(i), g + std::size_t(i) * term_.n_features,
                           scratch_.data(), g_c_.data());
    expansion_.adjoint(neighborhoods_[i], g_c_.data(), f_ij + environments.offset[centers_[i]]);
  }
}

}  // namespace soap_gpr
