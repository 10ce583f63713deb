// SPDX-License-Identifier: BSD-3-Clause
// Quintic B-splines on equispaced knots, docs/theory.md eq. (22b).
#pragma once

#include <algorithm>

namespace soap_gpr {

constexpr int kSplineSize = 6;  ///< coefficients that decide a value, along one axis

/// n_intervals of [0, end], with n_intervals + 5 coefficients.
struct UniformGrid {
  double inverse_h = 0;
  int n_intervals = 0;

  UniformGrid() = default;
  UniformGrid(double end, int n) : inverse_h(n / end), n_intervals(n) {}
  int n_coefficients() const { return n_intervals + kSplineSize - 1; }
};

/// The values and slopes of the B-splines first, ..., first + 5 at one point of [0, end].
struct SplinePoint {
  int first = 0;
  double b[kSplineSize] = {}, slope[kSplineSize] = {};

  SplinePoint() = default;
  SplinePoint(const UniformGrid &grid, double r) {
    const double x = r * grid.inverse_h;
    first = std::min(std::max(int(x), 0), grid.n_intervals - 1);
    const double t = x - first, t2 = t * t, t3 = t2 * t, t4 = t2 * t2, t5 = t4 * t, u = 1 - t;
    const double u2 = u * u, u4 = u2 * u2, k = 1.0 / 120, d = grid.inverse_h / 24;
    b[0] = k * u4 * u;
    b[1] = k * (26 - 50 * t + 20 * t2 + 20 * t3 - 20 * t4 + 5 * t5);
    b[2] = k * (66 - 60 * t2 + 30 * t4 - 10 * t5);
    b[3] = k * (26 + 50 * t + 20 * t2 - 20 * t3 - 20 * t4 + 10 * t5);
    b[4] = k * (1 + 5 * t + 10 * t2 + 10 * t3 + 5 * t4 - 5 * t5);
    b[5] = k * t5;
    slope[0] = -d * u4;
    slope[1] = d * (-10 + 8 * t + 12 * t2 - 16 * t3 + 5 * t4);
    slope[2] = d * (-24 * t + 24 * t3 - 10 * t4);
    slope[3] = d * (10 + 8 * t - 12 * t2 - 16 * t3 + 10 * t4);
    slope[4] = d * (1 + 4 * t + 6 * t2 + 4 * t3 - 5 * t4);
    slope[5] = d * t4;
  }
};

}  // namespace soap_gpr
