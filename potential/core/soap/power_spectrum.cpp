// SPDX-License-Identifier: BSD-3-Clause
#include "soap/power_spectrum.hpp"

#include <algorithm>
#include <cmath>

namespace soap_gpr {

double PowerSpectrum::n_products(const SoapTerm &term) {
  double n = 0;
  for (int size : term.n_channels) n += size * (size + 1.0) / 2;
  return n;
}

PowerSpectrum::PowerSpectrum(const SoapTerm &term, const FeatureChoice &choice,
                             const Density &density)
    : choice_(choice), density_(density), n_products_(term.n_products) {
  for (const Channels &channels : density.channels)
    largest_square_ = std::max(largest_square_, std::size_t(channels.size) * channels.stride);
}

std::size_t PowerSpectrum::scratch_size() const {
  return largest_square_ + (selects() ? n_products_ : 0);
}

void PowerSpectrum::select(const double *all, double *p) const {
  for (int f = 0; f < size(); ++f) p[f] = choice_.scales[f] * all[choice_.products[f]];
}

void PowerSpectrum::all_products(const double *c, double *p) const {
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const double *rows = c + channels.offset;
    const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
    for (int q = 0; q < channels.size; ++q) {
      for (int group = q / kLanes * kLanes; group < channels.size; group += kLanes) {
        Lanes value = broadcast(0.0);
        for (int m = 0; m <= 2 * l; ++m)
          value += rows[m * channels.stride + q] * load(rows + m * channels.stride + group);
        value *= off_diagonal;
        const int first = std::max(group, q), last = std::min(group + kLanes, channels.size);
        for (int k = first; k < last; ++k) p[k - q] = value[k - group];
      }
      p[0] *= M_SQRT1_2;
      p += channels.size - q;
    }
  }
}

void PowerSpectrum::values(int n, const double *c, double *scratch, double *p) const {
  for (int i = 0; i < n; ++i, c += density_.n_coefficients, p += size()) {
    all_products(c, selects() ? scratch : p);
    if (selects()) select(scratch, p);
  }
}

void PowerSpectrum::adjoint(int n, const double *c, const double *g_p, double *scratch,
                            double *g_c) const {
  const std::size_t width = density_.n_coefficients;
  for (int i = 0; i < n; ++i, c += width, g_c += width, g_p += size())
    adjoint_of_one(c, g_p, scratch, g_c);
}

void PowerSpectrum::adjoint_of_one(const double *c, const double *g_p, double *scratch,
                                   double *g_c) const {
  if (selects()) {
    double *all = scratch + largest_square_;
    std::fill_n(all, n_products_, 0.0);
    for (int f = 0; f < size(); ++f) all[choice_.products[f]] += choice_.scales[f] * g_p[f];
    g_p = all;
  }
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const int n = channels.size, stride = channels.stride;
    const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
    // ∂ε/∂c_q'm = Σ_q G_qq' c_qm with the symmetric G unpacked from g_p
    for (int q = 0; q < n; ++q) {
      for (int k = q; k < n; ++k) scratch[q * stride + k] = off_diagonal * g_p[k - q];
      scratch[q * stride + q] = 2 * diagonal * g_p[0];
      for (int k = q + 1; k < n; ++k) scratch[k * stride + q] = scratch[q * stride + k];
      for (int k = n; k < stride; ++k) scratch[q * stride + k] = 0;
      g_p += n - q;
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

void PowerSpectrum::all_derivatives(const double *c, const double *dc,
                                    const std::vector<ChannelGroup> &groups, double *scratch,
                                    double *dp) const {
  for (int l = 0; l <= density_.l_max; ++l) {
    const Channels &channels = density_.channels[l];
    const int n = channels.size, stride = channels.stride;
    const int begin = groups[l].q_begin, end = begin + groups[l].size;
    // B_qq' = Σ_m dc_qm c_q'm
    std::fill_n(scratch, std::size_t(n) * stride, 0.0);
    for (int q = begin; q < end; ++q)
      for (int group = 0; group < stride; group += kLanes) {
        Lanes b = broadcast(0.0);
        for (int m = 0, at = channels.offset; m <= 2 * l; ++m, at += stride)
          b += dc[at + q] * load(c + at + group);
        store(scratch + q * stride + group, b);
      }
    const double diagonal = 1.0 / std::sqrt(2.0 * l + 1.0), off_diagonal = diagonal * M_SQRT2;
    for (int q = 0; q < n; ++q) {
      *dp++ = 2 * diagonal * scratch[q * stride + q];
      for (int k = q + 1; k < n; ++k)
        *dp++ = off_diagonal * (scratch[q * stride + k] + scratch[k * stride + q]);
    }
  }
}

void PowerSpectrum::derivatives(const double *c, int n, const double *dc,
                                const std::vector<ChannelGroup> &groups, double *scratch,
                                double *dp) const {
  double *all = scratch + largest_square_;
  for (int i = 0; i < n; ++i, dc += density_.n_coefficients, dp += size()) {
    all_derivatives(c, dc, groups, scratch, selects() ? all : dp);
    if (selects()) select(all, dp);
  }
}

}  // namespace soap_gpr
