// SPDX-License-Identifier: BSD-3-Clause
// Quintic Hermite splines on segments of equispaced knots, docs/theory.md eq. (3c).
#pragma once

#include <algorithm>
#include <vector>

namespace soap_gpr {

/// Uniform knots on [begin, end]; neighbouring segments meet at kinks of the second derivative.
struct Segment {
  double begin, end;
  int n_intervals;
};

/// Polynomials that multiply S, h S', h² S'' at both ends of an interval, of one number or Lanes.
template <class Number>
struct HermiteWeights {
  Number h[6];
  explicit HermiteWeights(const Number &t) {
    const Number t2 = t * t, t3 = t2 * t, t4 = t3 * t, t5 = t4 * t;
    h[0] = 1.0 - 10.0 * t3 + 15.0 * t4 - 6.0 * t5;
    h[1] = t - 6.0 * t3 + 8.0 * t4 - 3.0 * t5;
    h[2] = 0.5 * (t2 - 3.0 * t3 + 3.0 * t4 - t5);
    h[3] = 10.0 * t3 - 15.0 * t4 + 6.0 * t5;
    h[4] = -4.0 * t3 + 7.0 * t4 - 3.0 * t5;
    h[5] = 0.5 * (t3 - 2.0 * t4 + t5);
  }
};

/// Their derivatives with respect to r.
template <class Number>
struct HermiteSlopes {
  Number h[6];
  HermiteSlopes(const Number &t, const Number &inverse_h) {
    const Number t2 = t * t, t3 = t2 * t, t4 = t3 * t;
    h[0] = inverse_h * (-30.0 * t2 + 60.0 * t3 - 30.0 * t4);
    h[1] = inverse_h * (1.0 - 18.0 * t2 + 32.0 * t3 - 15.0 * t4);
    h[2] = inverse_h * (t - 4.5 * t2 + 6.0 * t3 - 2.5 * t4);
    h[3] = -h[0];
    h[4] = inverse_h * (-12.0 * t2 + 28.0 * t3 - 15.0 * t4);
    h[5] = inverse_h * (1.5 * t2 - 4.0 * t3 + 2.5 * t4);
  }
};

/// Where a distance lies among the knots of all segments; a joint counts twice.
class RadialGrid {
 public:
  RadialGrid() = default;
  explicit RadialGrid(const std::vector<Segment> &segments) {
    for (const Segment &s : segments) {
      const double inverse_h = s.n_intervals / (s.end - s.begin);
      grids_.push_back({s.begin, s.end, inverse_h, s.n_intervals, n_knots_});
      n_knots_ += s.n_intervals + 1;
    }
  }

  int n_knots() const { return n_knots_; }
  double end() const { return grids_.empty() ? 0 : grids_.back().end; }

  /// The knot below 0 <= r <= end, how far r is beyond it in units of h, and 1/h.
  int locate(double r, double &t, double &inverse_h) const {
    const Grid *grid = grids_.data();
    while (r > grid->end && grid != &grids_.back()) ++grid;
    const double x = (r - grid->begin) * grid->inverse_h;
    const int interval = std::min(std::max(int(x), 0), grid->n_intervals - 1);
    t = x - interval;
    inverse_h = grid->inverse_h;
    return grid->first_knot + interval;
  }

 private:
  struct Grid {
    double begin, end, inverse_h;
    int n_intervals, first_knot;
  };
  std::vector<Grid> grids_;
  int n_knots_ = 0;
};

}  // namespace soap_gpr
