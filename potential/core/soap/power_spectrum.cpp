// SPDX-License-Identifier: BSD-3-Clause
#include "soap/power_spectrum.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

namespace {

std::size_t largest_square(const SoapTerm &term) {
  std::size_t size = 0;
  for (const Channels &channels : term.channels)
    size = std::max(size, std::size_t(channels.size) * channels.stride);
  return size;
}

/// All products p[n_products].
void all_products(const SoapTerm &term, const double *c, double *p) {
  for (int l = 0; l <= term.l_max; ++l) {
    const Channels &channels = term.channels[l];
    const double *rows = c + channels.offset;
    const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
    double *out = p + channels.feature_offset;
    for (int q = 0; q < channels.size; ++q) {
      for (int group = q / kLanes * kLanes; group < channels.size; group += kLanes) {
        Lanes value = broadcast(0.0);
        for (int m = 0; m <= 2 * l; ++m)
          value += rows[m * channels.stride + q] * load(rows + m * channels.stride + group);
        value *= off_diagonal;
        const int first = std::max(group, q), last = std::min(group + kLanes, channels.size);
        for (int k = first; k < last; ++k) out[k - q] = value[k - group];
      }
      out[0] *= M_SQRT1_2;
      out += channels.size - q;
    }
  }
}

}  // namespace

void power_spectrum(const SoapTerm &term, const double *c, double *scratch, double *p) {
  if (term.selection.empty()) return all_products(term, c, p);
  all_products(term, c, scratch);
  for (int f = 0; f < term.n_features; ++f)
    p[f] = term.selection_scale[f] * scratch[term.selection[f]];
}

void power_spectrum_adjoint(const SoapTerm &term, const double *c, const double *g_p,
                            double *scratch, double *g_c) {
  if (!term.selection.empty()) {
    double *all = scratch + largest_square(term);
    std::fill_n(all, term.n_products, 0.0);
    for (int f = 0; f < term.n_features; ++f)
      all[term.selection[f]] += term.selection_scale[f] * g_p[f];
    g_p = all;
  }
  for (int l = 0; l <= term.l_max; ++l) {
    const Channels &channels = term.channels[l];
    const int n = channels.size, stride = channels.stride;
    const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
    // ∂ε/∂c_q'm = Σ_q G_qq' c_qm with the symmetric G unpacked from g_p
    const double *in = g_p + channels.feature_offset;
    for (int q = 0; q < n; ++q) {
      for (int k = q; k < n; ++k) scratch[q * stride + k] = off_diagonal * in[k - q];
      scratch[q * stride + q] = 2 * diagonal * in[0];
      for (int k = q + 1; k < n; ++k) scratch[k * stride + q] = scratch[q * stride + k];
      for (int k = n; k < stride; ++k) scratch[q * stride + k] = 0;
      in += n - q;
    }
    for (int m = 0; m <= 2 * l; ++m) {
      const double *row = c + channels.offset + m * stride;
      double *out = g_c + channels.offset + m * stride;
      for (int group = 0; group < stride; group += kLanes) {
        Lanes value = broadcast(0.0);
        for (int q = 0; q < n; ++q) value += row[q] * load(scratch + q * stride + group);
        store(out + group, value);
      }
    }
  }
}

std::size_t power_spectrum_scratch(const SoapTerm &term) {
  return largest_square(term) + (term.selection.empty() ? 0 : term.n_products);
}

}  // namespace soap_gpr
