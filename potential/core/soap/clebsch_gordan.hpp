// SPDX-License-Identifier: BSD-3-Clause
// Products of two sets of real spherical components coupled to a third: out_m3 = Σ_m1m2
// C(l1 m1, l2 m2; l3 m3) a_m1 b_m2, docs/theory.md eq. (5c). Both parities of l1 + l2 + l3.
#pragma once

#include <vector>

#include "base/simd.hpp"

namespace soap_gpr {

/// The product of l1 and l2 coupled to l3, |l1 - l2| <= l3 <= l1 + l2, for kLanes of them at a
/// time.
class ClebschGordan {
 public:
  /// Components of l1 and l2 lie stride1 and stride2 apart.
  ClebschGordan(int l1, int l2, int l3, int stride1 = 1, int stride2 = 1);

  struct Entry {
    int m1, m2, m3;  ///< places 0..2l of m = -l..l, times the stride
    double value;
  };
  /// All coefficients that are not zero; m3 ascends.
  const std::vector<Entry> &entries() const { return entries_; }

  /// out[2 l3 + 1] += the product of a and b.
  void add(const Lanes *a, const Lanes *b, Lanes *out) const {
    for (const Entry &e : entries_) out[e.m3] += e.value * (a[e.m1] * b[e.m2]);
  }
  /// g_a += ∂(g · out)/∂a and g_b += ∂(g · out)/∂b from g[2 l3 + 1] = ∂/∂out.
  void add_adjoint(const Lanes *a, const Lanes *b, const Lanes *g, Lanes *g_a, Lanes *g_b) const {
    for (const Entry &e : entries_) {
      const Lanes own = e.value * g[e.m3];
      g_a[e.m1] += own * b[e.m2];
      g_b[e.m2] += own * a[e.m1];
    }
  }

 private:
  std::vector<Entry> entries_;
};

}  // namespace soap_gpr
