// SPDX-License-Identifier: BSD-3-Clause
#include "soap/environment_block.hpp"

#include "soap/density_gradients.hpp"

namespace soap_gpr {

std::unique_ptr<FeatureBlock> SoapLayout::make_block(int capacity, std::size_t choice) const {
  return std::make_unique<EnvironmentBlock>(*this, choice, capacity);
}

EnvironmentBlock::EnvironmentBlock(const SoapLayout &soap, std::size_t choice, int capacity)
    : FeatureBlock(soap.term, choice, capacity),
      soap_(soap),
      representation_(*soap.representations[choice]),
      expansion_(soap.density),
      species_(capacity),
      offset_(capacity),
      neighborhoods_(capacity),
      c_(std::size_t(capacity) * row()),
      g_c_(c_.size()),
      scratch_(representation_.scratch_size()) {}

std::unique_ptr<FeatureGradients> EnvironmentBlock::make_gradients(std::size_t n_atoms) {
  return std::make_unique<DensityGradients>(soap_, *this, n_atoms);
}

void EnvironmentBlock::gather(const Environments &environments, const std::size_t *centers, int n) {
  n_ = n;
  for (int i = 0; i < n; ++i) {
    species_[i] = environments.species[centers[i]];
    neighborhoods_[i].gather(soap_.density, environments, centers[i]);
    offset_[i] = environments.offset[centers[i]];
  }
}

void EnvironmentBlock::expand() {
  for (int i = 0; i < n_; ++i)
    expansion_.coefficients(neighborhoods_[i], species_[i], &c_[i * row()]);
}

void EnvironmentBlock::values(double *p) {
  representation_.values(n_, c_.data(), scratch_.data(), p);
}

void EnvironmentBlock::representation_adjoint(const double *g) {
  representation_.adjoint(n_, c_.data(), g, scratch_.data(), g_c_.data());
}

void EnvironmentBlock::expansion_adjoint(double (*f_ij)[3]) {
  for (int i = 0; i < n_; ++i)
    expansion_.adjoint(neighborhoods_[i], &g_c_[i * row()], f_ij + offset_[i]);
}

}  // namespace soap_gpr
