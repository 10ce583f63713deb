// SPDX-License-Identifier: BSD-3-Clause
// ν=1 invariants p_q = c^0_q0, docs/theory.md eq. (5b), or those that the term selects.
#pragma once

#include <algorithm>

#include "soap/representation.hpp"

namespace soap_gpr {

class RadialSpectrum : public Representation {
 public:
  RadialSpectrum(const SoapTerm &term, const Density &density) : term_(term), density_(density) {}

  static double n_products(const SoapTerm &term) { return term.n_channels[0]; }

  int size() const override { return term_.n_features; }
  std::size_t scratch_size() const override { return 0; }
  void values(int n, const double *c, double *, double *p) const override {
    for (int i = 0; i < n; ++i, c += density_.n_coefficients, p += size())
      for (int f = 0; f < size(); ++f) p[f] = scale(f) * c[channel(f)];
  }
  void adjoint(int n, const double *, const double *g_p, double *, double *g_c) const override {
    std::fill_n(g_c, std::size_t(n) * density_.n_coefficients, 0.0);
    for (int i = 0; i < n; ++i, g_c += density_.n_coefficients, g_p += size())
      for (int f = 0; f < size(); ++f) g_c[channel(f)] += scale(f) * g_p[f];
  }
  void derivatives(const double *, int n, const double *dc, const std::vector<ChannelGroup> &,
                   double *scratch, double *dp) const override {
    values(n, dc, scratch, dp);  // p is linear in c
  }

 private:
  int channel(int f) const { return term_.selection.empty() ? f : term_.selection[f]; }
  double scale(int f) const { return term_.selection.empty() ? 1 : term_.feature_scale[f]; }

  const SoapTerm &term_;
  const Density &density_;
};

}  // namespace soap_gpr
