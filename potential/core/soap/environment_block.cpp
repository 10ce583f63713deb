// SPDX-License-Identifier: BSD-3-Clause
#include "soap/environment_block.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

namespace {

/// Scales each of the n rows p[n][n_features] to unit length; norm[n] gets the length, rows of
/// zeros stay.
void normalize(int n, int n_features, double *p, double *norm) {
  for (int i = 0; i < n; ++i) {
    double *row = p + std::size_t(i) * n_features;
    double square = 0;
#pragma omp simd reduction(+ : square)
    for (int f = 0; f < n_features; ++f) square += row[f] * row[f];
    norm[i] = std::sqrt(square);
    const double scale = norm[i] > 0 ? 1 / norm[i] : 0;
    for (int f = 0; f < n_features; ++f) row[f] *= scale;
  }
}

}  // namespace

EnvironmentBlock::EnvironmentBlock(const SoapLayout &soap, int capacity)
    : soap_(soap),
      expansion_(soap.density),
      species_(capacity),
      offset_(capacity),
      neighborhoods_(capacity) {
  c_.resize(std::size_t(capacity) * row());
  g_c_.resize(c_.size());
  p_hat_.resize(std::size_t(capacity) * soap.n_features());
  norm_.assign(capacity, 1.0);
  scratch_.resize(soap.representation->scratch_size());
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

void EnvironmentBlock::represent() {
  soap_.representation->values(n_, c_.data(), scratch_.data(), p_hat_.data());
  if (soap_.term.kernel.normalized) normalize(n_, soap_.n_features(), p_hat_.data(), norm_.data());
}

void EnvironmentBlock::representation_adjoint(const double *g) {
  soap_.representation->adjoint(n_, c_.data(), g, scratch_.data(), g_c_.data());
}

void EnvironmentBlock::expansion_adjoint(double (*f_ij)[3]) {
  for (int i = 0; i < n_; ++i)
    expansion_.adjoint(neighborhoods_[i], &g_c_[i * row()], f_ij + offset_[i]);
}

}  // namespace soap_gpr
