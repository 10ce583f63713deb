// SPDX-License-Identifier: BSD-3-Clause
#include "tensors/density_features.hpp"

#include <algorithm>

#include "features/unit_length.hpp"

namespace soap_gpr {

std::size_t n_density(const Density &density) {
  std::size_t n = 0;
  for (int l = 0; l <= density.l_max; ++l) n += std::size_t(2 * l + 1) * density.channels[l].size;
  return n;
}

DensityFeatures::DensityFeatures(const SoapLayout &soap, std::size_t choice, std::size_t n,
                                 const double *densities)
    : n_(n),
      n_features_(soap.term.choices[choice].n_features),
      c_(n * soap.density.n_coefficients),
      p_hat_(n * n_features_),
      norm_(n, 1.0) {
  for (std::size_t i = 0; i < n; ++i)
    for (int l = 0; l <= soap.density.l_max; ++l) {
      const Channels &channels = soap.density.channels[l];
      double *own = &c_[i * soap.density.n_coefficients] + channels.offset;
      for (int m = 0; m <= 2 * l; ++m, densities += channels.size)
        std::copy_n(densities, channels.size, own + m * channels.stride);
    }
  const Representation &representation = *soap.representations[choice];
  AlignedVector scratch(representation.scratch_size());
  representation.values(int(n), c_.data(), scratch.data(), p_hat_.data());
  const FeatureChoice &own = soap.term.choices[choice];
  AlignedVector scaled = p_hat_;
  UnitLength unit_length(n_features_, own.metric);
  const double *dual = unit_length.apply(int(n), scaled.data(), norm_.data());
  dual_.assign(dual, dual + scaled.size());
  if (soap.term.kernel.normalized) {
    p_hat_ = std::move(scaled);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (int f = 0; f < n_features_; ++f) dual_[i * n_features_ + f] *= norm_[i];
    norm_[i] = 1;
  }
}

std::vector<double> DensityFeatures::psi_hat(const Equivariants &equivariants) const {
  const std::size_t row = std::size_t(equivariants.size()) * equivariants.n_components();
  std::vector<double> psi(n_ * row);
  equivariants.values(int(n_), c_.data(), psi.data());
  for (std::size_t i = 0; i < n_; ++i) {
    const double scale = norm_[i] > 0 ? 1 / norm_[i] : 0;
    for (std::size_t k = 0; k < row; ++k) psi[i * row + k] *= scale;
  }
  return psi;
}

}  // namespace soap_gpr
