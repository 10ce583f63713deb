// SPDX-License-Identifier: BSD-3-Clause
#include "features/unit_length.hpp"

#include <algorithm>
#include <cmath>

#include "base/block_product.hpp"

namespace soap_gpr {

const double *UnitLength::apply(int n, double *p, double *norm) {
  if (!metric_.empty()) multiply(n, p);
  for (int i = 0; i < n; ++i) {
    const std::size_t at = std::size_t(i) * n_features_;
    double *row = p + at, *dual = metric_.empty() ? row : &dual_[at];
    double square = 0;
#pragma omp simd reduction(+ : square)
    for (int f = 0; f < n_features_; ++f) square += row[f] * dual[f];
    norm[i] = std::sqrt(std::max(square, 0.0));
    const double scale = norm[i] > 0 ? 1 / norm[i] : 0;
    for (int f = 0; f < n_features_; ++f) row[f] *= scale;
    if (dual != row)
      for (int f = 0; f < n_features_; ++f) dual[f] *= scale;
  }
  return metric_.empty() ? p : dual_.data();
}

void UnitLength::multiply(int n, const double *p) {
  const std::size_t n_f = n_features_;
  dual_.resize(std::max(dual_.size(), n * n_f));
  panel_.resize(2 * n_f * kPanelWidth);
  for (std::size_t f = 0; n == 1 && f < n_f; ++f) {  // without lanes for others
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t k = 0; k < n_f; ++k) sum += metric_[f * n_f + k] * p[k];
    dual_[f] = sum;
  }
  for (int first = 0; n > 1 && first < n; first += kPanelWidth) {
    const int size = std::min(kPanelWidth, n - first), width = padded(size);
    double *x = panel_.data(), *y = x + n_f * width;
    for (std::size_t f = 0; f < n_f; ++f)
      for (int i = 0; i < width; ++i) x[f * width + i] = i < size ? p[(first + i) * n_f + f] : 0;
    panel_product<false>(width, n_features_, n_features_, {metric_.data(), n_f, 1}, x, y);
    for (int i = 0; i < size; ++i)
      for (std::size_t f = 0; f < n_f; ++f) dual_[(first + i) * n_f + f] = y[f * width + i];
  }
}

}  // namespace soap_gpr
