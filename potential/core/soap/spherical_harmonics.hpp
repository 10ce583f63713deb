// SPDX-License-Identifier: BSD-3-Clause
// Real spherical harmonics, orthonormal on the sphere, without Condon-Shortley phase:
// Y_l,m>0 = √2 N_lm Π_lm(z) Re(x+iy)^m, Y_l,m<0 = √2 N_l|m| Π_l|m|(z) Im(x+iy)^|m|, order m =
// -l..l, Π_lm(z) = d^m P_l(z)/dz^m. Docs: docs/theory.md, eq. (4).
#pragma once

#include <vector>

#include "base/simd.hpp"

namespace soap_gpr {

inline int lm_index(int l, int m) { return l * (l + 1) + m; }

class SphericalHarmonics {
 public:
  explicit SphericalHarmonics(int l_max);
  int size() const { return (l_max_ + 1) * (l_max_ + 1); }

  /// Values at eight unit vectors: y[lm].
  void values(const Lanes unit[3], Lanes *y) const { evaluate<false>(unit, y, nullptr); }
  /// Values and the gradient of the polynomial above in x, y, z: dy[3*lm + α]. Off the sphere this
  /// polynomial is one of many extensions: project the gradient on the tangent plane before use.
  void gradients(const Lanes unit[3], Lanes *y, Lanes *dy) const { evaluate<true>(unit, y, dy); }

 private:
  template <bool Gradients>
  void evaluate(const Lanes unit[3], Lanes *y, Lanes *dy) const;

  int l_max_;
  std::vector<double> norm_;  ///< [lm_index(l, m >= 0)] includes the √2
};

}  // namespace soap_gpr
