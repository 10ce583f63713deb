// SPDX-License-Identifier: BSD-3-Clause
#include "soap/environment_block.hpp"

#include <algorithm>

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
      scratch_(representation_.scratch_size()),
      g_c_(c_.size()) {}

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

void EnvironmentBlock::representation_adjoint(const double *g, std::size_t energy) {
  g_c_.resize(std::max(g_c_.size(), (energy + 1) * c_.size()));
  representation_.adjoint(n_, c_.data(), g, scratch_.data(), &g_c_[energy * c_.size()]);
}

void EnvironmentBlock::add_to_adjoint(const double *g_c, std::size_t energy) {
  double *own = &g_c_[energy * c_.size()];
  for (std::size_t k = 0; k < n_ * row(); ++k) own[k] += g_c[k];
}

void EnvironmentBlock::expansion_adjoint(std::size_t n_energies, double (*f_ij)[3],
                                         std::size_t n_pairs) {
  for (int i = 0; i < n_; ++i)
    expansion_.adjoint(neighborhoods_[i], n_energies, &g_c_[i * row()], c_.size(),
                       f_ij + offset_[i], n_pairs);
}

}  // namespace soap_gpr
