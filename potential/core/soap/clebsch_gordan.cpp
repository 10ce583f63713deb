// SPDX-License-Identifier: BSD-3-Clause
#include "soap/clebsch_gordan.hpp"

#include <cmath>
#include <complex>

namespace soap_gpr {

namespace {

using Real = long double;  // lowering loses some digits for large l
using Complex = std::complex<Real>;

constexpr double kSmallest = 1e-13;  ///< smaller coefficients are zeros with rounding

/// The factor of J₋ |l, m> = lower(l, m) |l, m - 1>; that of J₊ |l, m - 1> is the same.
Real lower(int l, int m) { return std::sqrt(Real(l + m) * Real(l - m + 1)); }

/// <l1 m1 l2 M-m1 | l3 M> of complex harmonics, at [M + l3][m1 + l1].
std::vector<std::vector<Real>> complex_coefficients(int l1, int l2, int l3) {
  std::vector<std::vector<Real>> c(2 * l3 + 1, std::vector<Real>(2 * l1 + 1, 0));
  // M = l3, from J₊ |l3 l3> = 0, with the sign of Condon and Shortley: positive at m1 = l1
  std::vector<Real> &top = c[2 * l3];
  Real square = 0;
  for (int m1 = l1; m1 >= -l1 && l3 - m1 <= l2; --m1) {
    const int m2 = l3 - m1;
    top[m1 + l1] = m1 == l1 ? 1 : -top[m1 + 1 + l1] * lower(l2, m2) / lower(l1, m1 + 1);
    square += top[m1 + l1] * top[m1 + l1];
  }
  for (Real &value : top) value /= std::sqrt(square);
  for (int M = l3 - 1; M >= 0; --M)
    for (int m1 = -l1; m1 <= l1; ++m1) {
      const int m2 = M - m1;
      if (std::abs(m2) > l2) continue;
      const Real first = m1 < l1 ? lower(l1, m1 + 1) * c[M + 1 + l3][m1 + 1 + l1] : 0;
      const Real second = m2 < l2 ? lower(l2, m2 + 1) * c[M + 1 + l3][m1 + l1] : 0;
      c[M + l3][m1 + l1] = (first + second) / lower(l3, M + 1);
    }
  const int sign = (l1 + l2 - l3) % 2 ? -1 : 1;
  for (int M = 1; M <= l3; ++M)
    for (int m1 = -l1; m1 <= l1; ++m1) c[l3 - M][l1 - m1] = sign * c[l3 + M][l1 + m1];
  return c;
}

/// U of Y_real,μ = Σ_m U_μm Y_m, where m is μ or -μ, docs/theory.md eq. (4).
Complex to_real(int mu, int m) {
  const Real half = std::sqrt(Real(0.5)), phase = mu % 2 ? -half : half;
  if (mu == 0) return 1;
  if (mu > 0) return m > 0 ? Complex(phase) : Complex(half);
  return m > 0 ? Complex(0, -phase) : Complex(0, half);
}

/// From -|μ| to |μ|, which are one and the same for μ = 0.
int step(int mu) { return mu == 0 ? 1 : 2 * std::abs(mu); }

}  // namespace

ClebschGordan::ClebschGordan(int l1, int l2, int l3, int stride1, int stride2) {
  const auto c = complex_coefficients(l1, l2, l3);
  const bool odd = (l1 + l2 + l3) % 2;  // then all are imaginary
  for (int mu3 = -l3; mu3 <= l3; ++mu3)
    for (int mu1 = -l1; mu1 <= l1; ++mu1)
      for (int mu2 = -l2; mu2 <= l2; ++mu2) {
        Complex sum = 0;
        for (int m1 = -std::abs(mu1); m1 <= std::abs(mu1); m1 += step(mu1))
          for (int m2 = -std::abs(mu2); m2 <= std::abs(mu2); m2 += step(mu2))
            if (const int M = m1 + m2; std::abs(M) == std::abs(mu3))
              sum += to_real(mu3, M) * c[M + l3][m1 + l1] * std::conj(to_real(mu1, m1)) *
                     std::conj(to_real(mu2, m2));
        const double value = double(odd ? sum.imag() : sum.real());
        if (std::abs(value) > kSmallest)
          entries_.push_back({(mu1 + l1) * stride1, (mu2 + l2) * stride2, mu3 + l3, value});
      }
}

}  // namespace soap_gpr
