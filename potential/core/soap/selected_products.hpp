// SPDX-License-Identifier: BSD-3-Clause
// Some products of the power spectrum, docs/theory.md eq. (5a), one by one with lanes over
// environments: what a term with few of them has in the place of power_spectrum.hpp, whose loops
// over all of them cost more then.
#pragma once

#include "soap/representation.hpp"

namespace soap_gpr {

class SelectedProducts : public Representation {
 public:
  SelectedProducts(const SoapTerm &, const FeatureChoice &choice, const Density &density);

  int size() const override { return int(products_.size()); }
  std::size_t scratch_size() const override;
  void values(int n, const double *c, double *scratch, double *p) const override;
  void adjoint(int n, const double *c, const double *g_p, double *scratch,
               double *g_c) const override;
  void derivatives(const double *c, int n, const double *dc,
                   const std::vector<ChannelGroup> &groups, double *scratch,
                   double *dp) const override;

 private:
  struct Product {
    int l, q, q2;       ///< channels q <= q2 of l
    int first, second;  ///< where c_q and c_q2 of the first m are
    int feature;        ///< that it is
    double factor;      ///< of Σ_m c_qm c_q2m in the feature
  };

  const Density &density_;
  std::vector<Product> products_;  ///< [n_features] by l, q, q2
};

}  // namespace soap_gpr
