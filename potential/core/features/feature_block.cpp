// SPDX-License-Identifier: BSD-3-Clause
#include "features/feature_block.hpp"

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

FeatureBlock::FeatureBlock(const FeatureTerm &term, int capacity)
    : term_(term), p_hat_(std::size_t(capacity) * term.n_features), norm_(capacity, 1.0) {}

void FeatureBlock::represent() {
  values(p_hat_.data());
  if (term_.kernel.normalized) normalize(n_, term_.n_features, p_hat_.data(), norm_.data());
}

}  // namespace soap_gpr
