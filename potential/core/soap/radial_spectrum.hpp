// SPDX-License-Identifier: BSD-3-Clause
// ν=1 invariants p_q = c^0_q0, docs/theory.md eq. (5b), or those that the term selects.
#pragma once

#include <algorithm>

#include "soap/representation.hpp"

namespace soap_gpr {

class RadialSpectrum : public Representation {
 public:
  RadialSpectrum(const SoapTerm &, const FeatureChoice &choice, const Density &density)
      : choice_(choice), density_(density) {}

  static double n_products(const SoapTerm &term) { return term.n_channels[0]; }

  int size() const override { return choice_.n_features; }
  std::size_t scratch_size() const override { return 0; }
  void values(int n, const double *c, double *, double *p) const override {
    for (int i = 0; i < n; ++i, c += density_.n_coefficients, p += size())
      for (int f = 0; f < size(); ++f) p[f] = choice_.scale(f) * c[choice_.product(f)];
  }
  void adjoint(int n, const double *, const double *g_p, double *, double *g_c) const override {
    std::fill_n(g_c, std::size_t(n) * density_.n_coefficients, 0.0);
    for (int i = 0; i < n; ++i, g_c += density_.n_coefficients, g_p += size())
      for (int f = 0; f < size(); ++f) g_c[choice_.product(f)] += choice_.scale(f) * g_p[f];
  }
  void derivatives(const double *, int n, const double *dc, const std::vector<ChannelGroup> &,
                   double *scratch, double *dp) const override {
    values(n, dc, scratch, dp);  // p is linear in c
  }

 private:
  const FeatureChoice &choice_;
  const Density &density_;
};

}  // namespace soap_gpr
