// SPDX-License-Identifier: BSD-3-Clause
#include "soap/environment_block.hpp"

#include "soap/kernel.hpp"
#include "soap/power_spectrum.hpp"

namespace soap_gpr {

EnvironmentBlock::EnvironmentBlock(const SoapTerm &term, int capacity)
    : term_(term), expansion_(term), offset_(capacity), neighborhoods_(capacity) {
  c_.resize(std::size_t(capacity) * term.n_coefficients);
  g_c_.resize(c_.size());
  p_hat_.resize(std::size_t(capacity) * term.n_features);
  norm_.resize(capacity);
  scratch_.resize(power_spectrum_scratch(term));
}

void EnvironmentBlock::gather(const Environments &environments, const std::size_t *centers, int n) {
  n_ = n;
  species_ = environments.species[centers[0]];
  for (int i = 0; i < n; ++i) {
    neighborhoods_[i].gather(term_, environments, centers[i]);
    offset_[i] = environments.offset[centers[i]];
  }
}

void EnvironmentBlock::expand() {
  for (int i = 0; i < n_; ++i)
    expansion_.coefficients(neighborhoods_[i], species_,
                            &c_[std::size_t(i) * term_.n_coefficients]);
}

void EnvironmentBlock::power_spectra() {
  for (int i = 0; i < n_; ++i)
    power_spectrum(term_, coefficients(i), scratch_.data(),
                   &p_hat_[std::size_t(i) * term_.n_features]);
  normalize(term_, n_, p_hat_.data(), norm_.data());
}

void EnvironmentBlock::power_spectra_adjoint(const double *g) {
  for (int i = 0; i < n_; ++i)
    power_spectrum_adjoint(term_, coefficients(i), g + std::size_t(i) * term_.n_features,
                           scratch_.data(), &g_c_[std::size_t(i) * term_.n_coefficients]);
}

void EnvironmentBlock::expansion_adjoint(double (*f_ij)[3]) {
  for (int i = 0; i < n_; ++i)
    expansion_.adjoint(neighborhoods_[i], &g_c_[std::size_t(i) * term_.n_coefficients],
                       f_ij + offset_[i]);
}

}  // namespace soap_gpr
