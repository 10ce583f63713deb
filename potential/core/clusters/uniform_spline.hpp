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

/// Rows: powers of t from 0; columns: the six polynomials above an interval, times 5!, and zeros.
constexpr int kSplinePadded = 8;
constexpr double kSplinePieces[6][kSplinePadded] = {
    {1, 26, 66, 26, 1, 0},    {-5, -50, 0, 50, 5, 0},  {10, 20, -60, 20, 10, 0},
    {-10, 20, 0, -20, 10, 0}, {5, -20, 30, -20, 5, 0}, {-1, 5, -10, 10, -5, 1}};

/// The values and slopes of the B-splines first, ..., first + 5 at one point of [0, end].
struct SplinePoint {
  int first = 0;
  double b[kSplinePadded] = {}, slope[kSplinePadded] = {};

  /// In place: a copy of what was just written would wait for it to reach the memory.
  void locate(const UniformGrid &grid, double r) {
    const double x = r * grid.inverse_h;
    first = std::min(std::max(int(x), 0), grid.n_intervals - 1);
    const double t = x - first, scale = grid.inverse_h / 120;
#pragma omp simd
    for (int s = 0; s < kSplinePadded; ++s) {
      double value = kSplinePieces[5][s], derivative = 5 * kSplinePieces[5][s];
      for (int p = 4; p >= 0; --p) {
        value = value * t + kSplinePieces[p][s];
        if (p > 0) derivative = derivative * t + p * kSplinePieces[p][s];
      }
      b[s] = value * (1.0 / 120);
      slope[s] = derivative * scale;
    }
  }
};

}  // namespace soap_gpr
