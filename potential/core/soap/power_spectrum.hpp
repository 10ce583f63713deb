// SPDX-License-Identifier: BSD-3-Clause
// ν=2 invariants p^l_qq' = (2l+1)^(-1/2) Σ_m c^l_qm c^l_q'm (off-diagonal × √2), docs/theory.md
// eq. (5). Order of the features: l, then q, then q' >= q, or those that the term selects.
#pragma once

#include "soap/representation.hpp"

namespace soap_gpr {

class PowerSpectrum : public Representation {
 public:
  PowerSpectrum(const SoapTerm &term, const Density &density);

  /// All products q <= q' of all l.
  static int n_products(const std::vector<int> &n_channels);

  int size() const override { return term_.n_features; }
  std::size_t scratch_size() const override;
  void values(const double *c, double *scratch, double *p) const override;
  void adjoint(const double *c, const double *g_p, double *scratch, double *g_c) const override;

  std::size_t derivative_size() const override { return all_squares_; }
  /// B_qq' = Σ_m dc_qm c_q'm
  void add_derivative(const std::vector<ChannelGroup> &groups, const double *c, const double *dc,
                      const DerivativeRows &rows) const override;
  void pack(const double *row, double *scratch, double *dp) const override;

 private:
  void all_products(const double *c, double *p) const;
  void pack_all(const double *row, double *dp) const;
  void select(const double *all, double *p) const;

  const SoapTerm &term_;
  const Density &density_;
  std::size_t largest_square_ = 0, all_squares_ = 0;  ///< Q_l × stride of an l, and of all l
};

}  // namespace soap_gpr
