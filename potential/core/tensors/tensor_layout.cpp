// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/tensor_layout.hpp"

#include <algorithm>

namespace soap_gpr {

namespace {

/// v[m][α] = Σ_μ ψ̂_αμ(m) w_mμ, or their sum over m.
AlignedVector vectors_of(const std::vector<double> &psi_hat, std::size_t n_products, int n_mu,
                         const std::vector<double> &weights, bool sum) {
  const std::size_t n = weights.size() / n_mu;
  AlignedVector v((sum ? 1 : n) * n_products, 0.0);
  for (std::size_t m = 0; m < n; ++m)
    for (std::size_t alpha = 0; alpha < n_products; ++alpha) {
      const double *psi = &psi_hat[(m * n_products + alpha) * n_mu];
      double value = 0;
      for (int mu = 0; mu < n_mu; ++mu) value += psi[mu] * weights[m * n_mu + mu];
      v[(sum ? 0 : m) * n_products + alpha] += value;
    }
  return v;
}

}  // namespace

TensorLayout::TensorLayout(const ModelData &data, std::size_t index, const SoapLayout &own)
    : basis(data.tensor_bases[index]), soap(own), sets(basis.sets.size()) {
  for (const TensorFeatures &kept : basis.features) features.emplace_back(kept, soap.density);
  for (const TensorTarget &target : data.tensors)
    if (target.basis == index)
      for (const auto &part : target.parts)
        parts.push_back({&target, &part, std::vector<AlignedVector>(sets.size())});
  for (std::size_t s = 0; s < sets.size(); ++s) {
    const TensorBasis::Set &set = basis.sets[s];
    if (set.size == 0) continue;
    const std::size_t choice = soap.term.shared_set ? 0 : soap.term.choice_of(int(s));
    const DensityFeatures found(soap, choice, set.size, set.densities.data());
    sets[s] = {set.size, found.dual()};
    std::vector<std::vector<double>> psi_hat;
    for (const Equivariants &kept : features) psi_hat.push_back(found.psi_hat(kept));
    for (Part &part : parts) {
      const std::vector<double> &weights = part.own->weights[s];
      if (weights.empty()) continue;
      if (const int f = part.own->features; f < 0)
        part.vectors[s].assign(weights.begin(), weights.end());
      else
        part.vectors[s] = vectors_of(psi_hat[f], features[f].size(), features[f].n_components(),
                                     weights, linear(part));
    }
  }
}

int TensorLayout::max_products() const {
  int most = 1;
  for (const Equivariants &kept : features) most = std::max(most, kept.size());
  return most;
}

int TensorLayout::max_points() const {
  int most = 1;
  for (const Set &set : sets) most = std::max(most, set.size);
  return most;
}

}  // namespace soap_gpr
