// SPDX-License-Identifier: BSD-3-Clause
// ν=3 invariants of three channels (l, q), docs/theory.md eq. (5d): their product coupled to a
// scalar. Order of the features: l1 <= l2 <= l3 <= l1 + l2, then q1, q2, q3, or those that the term
// selects. Only what is kept is computed; products of the same first two channels are shared.
#pragma once

#include "soap/clebsch_gordan.hpp"
#include "soap/representation.hpp"

namespace soap_gpr {

class Bispectrum : public Representation {
 public:
  Bispectrum(const SoapTerm &term, const FeatureChoice &choice, const Density &density);

  static double n_products(const SoapTerm &term);

  int size() const override { return size_; }
  std::size_t scratch_size() const override;
  void values(int n, const double *c, double *scratch, double *p) const override;
  void adjoint(int n, const double *c, const double *g_p, double *scratch,
               double *g_c) const override;
  void derivatives(const double *c, int n, const double *dc,
                   const std::vector<ChannelGroup> &groups, double *scratch,
                   double *dp) const override;

 private:
  /// A feature: the third channel that meets a coupled pair.
  struct Third {
    int c;  ///< place of its first component
    int feature;
    double scale;
  };
  /// Two channels coupled to l3, and all features that have them.
  struct Pair {
    int coupling;  ///< of couplings_
    int l1, l2, l3;
    int stride;      ///< between components of l3
    int a, b;        ///< places of the channels' first components
    int begin, end;  ///< of thirds_
  };

  int size_;
  const Density &density_;
  std::vector<ClebschGordan> couplings_;
  std::vector<Pair> pairs_;
  std::vector<Third> thirds_;
};

}  // namespace soap_gpr
