// SPDX-License-Identifier: BSD-3-Clause
#include "features/unit_length.hpp"

#include <algorithm>
#include <cmath>

#include "base/block_product.hpp"
#include "base/lanes_of_rows.hpp"

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
    panel_of_rows(size, n_f, p + first * n_f, x);
    panel_product<false>(width, n_features_, n_features_, {metric_.data(), n_f, 1}, x, y);
    rows_of_panel(size, n_f, y, &dual_[first * n_f]);
  }
}

void unit_length_adjoint(bool normalized, int n_features, int n, const double *p_hat,
                         const double *g_hat, const double *dual, const double *norm, double *g) {
  const std::size_t width = padded(n);
  for (int first = 0; first < n; first += kLanes, p_hat += kLanes, g_hat += kLanes) {
    Lanes along = broadcast(0.0), scale = along;
    for (int f = 0; normalized && f < n_features; ++f)
      along += load(g_hat + f * width) * load(p_hat + f * width);
    const int size = std::min(kLanes, n - first);
    for (int i = 0; i < size; ++i) scale[i] = norm[first + i] > 0 ? 1 / norm[first + i] : 0;
    const Lanes of_p_hat = dual ? broadcast(0.0) : along;
    double *rows = g + std::size_t(first) * n_features;
    for (int f = 0; f < n_features; ++f) {
      const Lanes value = scale * (load(g_hat + f * width) - of_p_hat * load(p_hat + f * width));
      for (int i = 0; i < size; ++i) rows[std::size_t(i) * n_features + f] = value[i];
    }
    for (int i = 0; dual && i < size; ++i) {
      const double *length = dual + std::size_t(first + i) * n_features;  // ∂|u|/∂p
      double *out = rows + std::size_t(i) * n_features;
      const double factor = scale[i] * along[i];
      for (int f = 0; f < n_features; ++f) out[f] -= factor * length[f];
    }
  }
}

}  // namespace soap_gpr
