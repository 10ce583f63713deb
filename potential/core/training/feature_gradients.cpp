// SPDX-License-Identifier: BSD-3-Clause
#include "training/feature_gradients.hpp"

namespace soap_gpr {

FeatureGradients::FeatureGradients(const SoapLayout &soap, std::size_t n_atoms)
    : soap_(soap),
      size_(soap.representation->derivative_size()),
      slot_(n_atoms, -1),
      dc_(std::size_t(3) * soap.density.n_coefficients),
      scratch_(soap.representation->scratch_size()) {}

void FeatureGradients::compute(EnvironmentBlock &block, std::size_t center,
                               const Environments &environments) {
  const std::size_t *own = environments.neighbor + environments.offset[center];
  for (std::size_t atom : atoms_) slot_[atom] = -1;
  atoms_.clear();
  add_atom(center);
  for (const auto &batch : block.neighborhood(0).batches())
    for (int k = 0; k < batch.size; ++k) add_atom(own[batch.pair[k]]);
  derivatives_.assign(n_rows() * size_, 0.0);
  for (const auto &batch : block.neighborhood(0).batches()) {
    block.expansion().prepare(batch);
    for (int k = 0; k < batch.size; ++k) {
      block.expansion().derivative(batch, k, dc_.data());
      add_pair(batch, k, block.coefficients(0), slot_[own[batch.pair[k]]]);
    }
  }
}

void FeatureGradients::pack(AlignedVector &packed) {
  const std::size_t width = soap_.n_features();
  packed.resize(n_rows() * width);
  for (std::size_t row = 0; row < n_rows(); ++row)
    soap_.representation->pack(&derivatives_[row * size_], scratch_.data(), &packed[row * width]);
}

void FeatureGradients::add_atom(std::size_t atom) {
  if (slot_[atom] >= 0) return;
  slot_[atom] = int(atoms_.size());
  atoms_.push_back(atom);
}

void FeatureGradients::add_pair(const Neighborhood::Batch &batch, int k, const double *c,
                                int slot) {
  DerivativeRows rows;
  for (int x = 0; x < 3; ++x) {
    rows.neighbor[x] = &derivatives_[(3 * slot + x) * size_];
    rows.center[x] = &derivatives_[x * size_];
    rows.r_ij[x] = batch.r[k] * batch.unit[x][k];
  }
  for (int v = 0; v < 6; ++v) rows.strain[v] = &derivatives_[(3 * atoms_.size() + v) * size_];
  soap_.representation->add_derivative(soap_.density.fed[batch.table], c, dc_.data(), rows);
}

}  // namespace soap_gpr
