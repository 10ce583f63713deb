// SPDX-License-Identifier: BSD-3-Clause
// ν=2 invariants p^l_qq' = (2l+1)^(-1/2) Σ_m c^l_qm c^l_q'm (off-diagonal × √2), docs/theory.md
// eq. (5). Order of the features: l, then q, then q' >= q, or those that the term selects.
#pragma once

#include "soap/representation.hpp"

namespace soap_gpr {

class PowerSpectrum : public Representation {
 public:
  PowerSpectrum(const SoapTerm &term, const FeatureChoice &choice, const Density &density);

  /// All products q <= q' of all l.
  static double n_products(const SoapTerm &term);

  int size() const override { return choice_.n_features; }
  std::size_t scratch_size() const override;
  void values(int n, const double *c, double *scratch, double *p) const override;
  void adjoint(int n, const double *c, const double *g_p, double *scratch,
               double *g_c) const override;
  void derivatives(const double *c, int n, const double *dc,
                   const std::vector<ChannelGroup> &groups, double *scratch,
                   double *dp) const override;

 private:
  void all_products(const double *c, double *p) const;
  void adjoint_of_one(const double *c, const double *g_p, double *scratch, double *g_c) const;
  void all_derivatives(const double *c, const double *dc, const std::vector<ChannelGroup> &groups,
                       double *scratch, double *dp) const;
  bool selects() const { return !choice_.products.empty(); }
  void select(const double *all, double *p) const;

  const FeatureChoice &choice_;
  const Density &density_;
  std::size_t n_products_;          ///< before the choice
  std::size_t largest_square_ = 0;  ///< Q_l × stride of an l
};

}  // namespace soap_gpr
