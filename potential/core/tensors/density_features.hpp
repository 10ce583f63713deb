// SPDX-License-Identifier: BSD-3-Clause
// Features of density coefficients that are there already, such as those of sparse environments.
#pragma once

#include "soap/soap_layout.hpp"
#include "tensors/equivariants.hpp"

namespace soap_gpr {

/// Numbers of a density c^l[m][q] without the padding of the CPU's rows.
std::size_t n_density(const Density &density);

class DensityFeatures {
 public:
  /// Of n environments with one choice of the term's features, densities[n][n_density]; the layout
  /// outlives the object.
  DensityFeatures(const SoapLayout &soap, std::size_t choice, std::size_t n,
                  const double *densities);

  int n_features() const { return n_features_; }
  /// [n][n_features], of unit length where the kernel is normalised.
  const AlignedVector &p_hat() const { return p_hat_; }
  /// [n][n_features]: G p̂ of recoupled features, else p̂; their products with others' p̂ are what
  /// kernels are powers of.
  const AlignedVector &dual() const { return dual_; }
  /// [n][size][2λ + 1] of eq. (26a).
  std::vector<double> psi_hat(const Equivariants &equivariants) const;

 private:
  std::size_t n_;
  int n_features_;
  AlignedVector c_, p_hat_, dual_, norm_;
};

}  // namespace soap_gpr
