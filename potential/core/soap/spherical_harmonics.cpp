// SPDX-License-Identifier: BSD-3-Clause
#include "soap/spherical_harmonics.hpp"

#include <cmath>
#include <utility>

#include "soap/soap_term.hpp"

namespace soap_gpr {

SphericalHarmonics::SphericalHarmonics(int l_max) : l_max_(l_max), norm_(size()) {
  for (int l = 0; l <= l_max; ++l)
    for (int m = 0; m <= l; ++m) {
      double ratio = 1.0;  // (l-m)! / (l+m)!
      for (int k = l - m + 1; k <= l + m; ++k) ratio /= k;
      norm_[lm_index(l, m)] = std::sqrt((2 * l + 1) / (4 * M_PI) * ratio * (m > 0 ? 2 : 1));
    }
}

template <bool Gradients>
void SphericalHarmonics::evaluate(const Lanes unit[3], Lanes *y, Lanes *dy) const {
  const Lanes ux = unit[0], uy = unit[1], uz = unit[2];
  const Lanes zero = broadcast(0.0), one = broadcast(1.0);
  // legendre[k][l] = Π_l,m+k at the current m; the m+1 column is the z-derivative of the m column.
  Lanes columns[2][kMaxL + 2];
  Lanes *current = columns[0], *next = columns[1];

  // Π_mm = (2m-1)!!, Π_m+1,m = (2m+1) z Π_mm, (l-m) Π_lm = (2l-1) z Π_l-1,m - (l+m-1) Π_l-2,m
  auto fill = [&](int m, double diagonal, Lanes *column) {
    for (int l = 0; l < m && l <= l_max_; ++l) column[l] = zero;
    if (m > l_max_) return;
    column[m] = broadcast(diagonal);
    if (m + 1 <= l_max_) column[m + 1] = (2 * m + 1) * uz * column[m];
    for (int l = m + 2; l <= l_max_; ++l)
      column[l] = ((2 * l - 1) * uz * column[l - 1] - (double)(l + m - 1) * column[l - 2]) *
                  (1.0 / (l - m));
  };

  Lanes cos_m = one, sin_m = zero, cos_below = zero, sin_below = zero;  // Re, Im (x+iy)^m, ^(m-1)
  double diagonal = 1.0;
  fill(0, diagonal, current);
  for (int m = 0; m <= l_max_; ++m) {
    diagonal *= 2 * m + 1;
    if (Gradients) fill(m + 1, diagonal, next);
    const Lanes dcos = (double)m * cos_below, dsin = (double)m * sin_below;
    for (int l = m; l <= l_max_; ++l) {
      const double norm = norm_[lm_index(l, m)];
      const Lanes value = norm * current[l];
      const int plus = lm_index(l, m), minus = lm_index(l, -m);
      y[plus] = value * cos_m;
      if (m > 0) y[minus] = value * sin_m;
      if (Gradients) {
        const Lanes slope = norm * next[l];
        dy[3 * plus] = value * dcos;
        dy[3 * plus + 1] = -value * dsin;
        dy[3 * plus + 2] = slope * cos_m;
        if (m > 0) {
          dy[3 * minus] = value * dsin;
          dy[3 * minus + 1] = value * dcos;
          dy[3 * minus + 2] = slope * sin_m;
        }
      }
    }
    cos_below = cos_m;
    sin_below = sin_m;
    cos_m = cos_below * ux - sin_below * uy;
    sin_m = cos_below * uy + sin_below * ux;
    if (Gradients)
      std::swap(current, next);
    else
      fill(m + 1, diagonal, current);
  }
}

template void SphericalHarmonics::evaluate<false>(const Lanes *, Lanes *, Lanes *) const;
template void SphericalHarmonics::evaluate<true>(const Lanes *, Lanes *, Lanes *) const;

}  // namespace soap_gpr
