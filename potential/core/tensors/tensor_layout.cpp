// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/tensor_layout.hpp"

#include <algorithm>

namespace soap_gpr {

namespace {

/// v[m][α] = Σ_μ ψ̂_αμ(m) w_mμ.
AlignedVector vectors_of(const std::vector<double> &psi_hat, std::size_t n_products, int n_mu,
                         const std::vector<double> &weights) {
  const std::size_t n = weights.size() / n_mu;
  AlignedVector v(n * n_products, 0.0);
  for (std::size_t m = 0; m < n; ++m)
    for (std::size_t alpha = 0; alpha < n_products; ++alpha) {
      const double *psi = &psi_hat[(m * n_products + alpha) * n_mu];
      for (int mu = 0; mu < n_mu; ++mu)
        v[m * n_products + alpha] += psi[mu] * weights[m * n_mu + mu];
    }
  return v;
}

/// Σ_m x[m] v[m]: [n_x][n_v] of rows x[m][n_x] and v[m][n_v].
AlignedVector summed(std::size_t n_points, std::size_t n_x, const double *x, std::size_t n_v,
                     const double *v) {
  AlignedVector sum(n_x * n_v, 0.0);
  for (std::size_t m = 0; m < n_points; ++m)
    for (std::size_t k = 0; k < n_x; ++k)
      for (std::size_t alpha = 0; alpha < n_v; ++alpha)
        sum[k * n_v + alpha] += x[m * n_x + k] * v[m * n_v + alpha];
  return sum;
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
    sets[s] = {set.size, found.n_features(), kPoints, found.dual()};
    sets[s].form = cheapest(s);
    std::vector<std::vector<double>> psi_hat;
    for (const Equivariants &kept : features) psi_hat.push_back(found.psi_hat(kept));
    for (Part &part : parts) {
      const std::vector<double> &weights = part.own->weights[s];
      if (weights.empty()) continue;
      AlignedVector own(weights.begin(), weights.end());
      const int f = part.own->features;
      std::size_t n = 1;
      if (f >= 0) {
        n = features[f].size();
        own = vectors_of(psi_hat[f], n, features[f].n_components(), weights);
      }
      part.vectors[s] = in_form(form(part, s), sets[s], f < 0, n, own);
    }
  }
}

TensorLayout::Form TensorLayout::cheapest(std::size_t s) const {
  const Set &set = sets[s];
  if (!soap.term.sparse[s].coupling.empty() || basis.zeta > 2) return kPoints;
  if (basis.zeta == 1) return kVector;
  double points = double(set.size) * set.n_features, matrix = 0;
  for (const Part &part : parts) {
    if (part.own->weights[s].empty()) continue;
    const int f = part.own->features;
    points += double(set.size) * (f < 0 ? 1 : features[f].size());
    matrix += double(set.n_features) * (f < 0 ? set.n_features : features[f].size());
  }
  return matrix < points ? kMatrix : kPoints;
}

AlignedVector TensorLayout::in_form(Form form, const Set &set, bool scalar, std::size_t n,
                                    const AlignedVector &own) {
  if (form == kPoints) return own;
  if (form == kVector) {
    const AlignedVector ones(set.size, 1.0);
    return summed(set.size, 1, ones.data(), n, own.data());
  }
  if (!scalar) return summed(set.size, set.n_features, set.points.data(), n, own.data());
  AlignedVector weighed = set.points;  // w_m p̂_m
  for (std::size_t k = 0; k < weighed.size(); ++k) weighed[k] *= own[k / set.n_features];
  return summed(set.size, set.n_features, set.points.data(), set.n_features, weighed.data());
}

bool TensorLayout::needs_points(std::size_t set) const {
  return std::any_of(parts.begin(), parts.end(), [&](const Part &part) {
    return !part.vectors[set].empty() && form(part, set) == kPoints;
  });
}

int TensorLayout::max_columns() const {
  int most = 1;
  for (const Part &part : parts)
    for (std::size_t s = 0; s < sets.size(); ++s) most = std::max(most, n_columns(part, s));
  return most;
}

int TensorLayout::max_points() const {
  int most = 1;
  for (const Set &set : sets) most = std::max(most, set.size);
  return most;
}

}  // namespace soap_gpr
