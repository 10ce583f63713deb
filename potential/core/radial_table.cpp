// SPDX-License-Identifier: BSD-3-Clause
#include "radial_table.hpp"

#include <algorithm>

namespace soap_gpr {

namespace {

/// Quintic Hermite polynomials that multiply S, h S', h² S'' at both ends of an interval.
struct Weights {
  double h[6];
  explicit Weights(double t) {
    const double t2 = t * t, t3 = t2 * t, t4 = t3 * t, t5 = t4 * t;
    h[0] = 1 - 10 * t3 + 15 * t4 - 6 * t5;
    h[1] = t - 6 * t3 + 8 * t4 - 3 * t5;
    h[2] = 0.5 * (t2 - 3 * t3 + 3 * t4 - t5);
    h[3] = 10 * t3 - 15 * t4 + 6 * t5;
    h[4] = -4 * t3 + 7 * t4 - 3 * t5;
    h[5] = 0.5 * (t3 - 2 * t4 + t5);
  }
};

/// Their derivatives with respect to r.
struct Slopes {
  double h[6];
  Slopes(double t, double inverse_h) {
    const double t2 = t * t, t3 = t2 * t, t4 = t3 * t;
    h[0] = inverse_h * (-30 * t2 + 60 * t3 - 30 * t4);
    h[1] = inverse_h * (1 - 18 * t2 + 32 * t3 - 15 * t4);
    h[2] = inverse_h * (t - 4.5 * t2 + 6 * t3 - 2.5 * t4);
    h[3] = -h[0];
    h[4] = inverse_h * (-12 * t2 + 28 * t3 - 15 * t4);
    h[5] = inverse_h * (1.5 * t2 - 4 * t3 + 2.5 * t4);
  }
};

}  // namespace

RadialTable::RadialTable(const std::vector<Segment> &segments, std::vector<ChannelGroup> groups,
                         const double *values)
    : groups_(std::move(groups)) {
  int n_knots = 0;
  for (const Segment &s : segments) {
    grids_.push_back({s.begin, s.end, s.n_intervals / (s.end - s.begin), s.n_intervals, n_knots});
    n_knots += s.n_intervals + 1;
  }
  for (const ChannelGroup &g : groups_) n_padded_ = std::max(n_padded_, g.offset + padded(g.size));
  knots_.assign(std::size_t(n_knots) * 3 * n_padded_, 0.0);
  for (int row = 0; row < 3 * n_knots; ++row)
    for (const ChannelGroup &g : groups_) {
      std::copy(values, values + g.size, &knots_[std::size_t(row) * n_padded_ + g.offset]);
      values += g.size;
    }
}

const double *RadialTable::locate(double r, double &t, double &inverse_h) const {
  const Grid *grid = grids_.data();
  while (r > grid->end && grid != &grids_.back()) ++grid;
  const double x = (r - grid->begin) * grid->inverse_h;
  const int interval = std::min(std::max(int(x), 0), grid->n_intervals - 1);
  t = x - interval;
  inverse_h = grid->inverse_h;
  return &knots_[std::size_t(grid->first_knot + interval) * 3 * n_padded_];
}

void RadialTable::values(double r, double *s) const {
  double t, inverse_h;
  const double *knot = locate(r, t, inverse_h);
  const Weights weights(t);
  for (int c = 0; c < n_padded_; c += kLanes) {
    Lanes value = weights.h[0] * load(knot + c);
    for (int k = 1; k < 6; ++k) value += weights.h[k] * load(knot + k * n_padded_ + c);
    store(s + c, value);
  }
}

void RadialTable::derivatives(const Lanes &r, int n, Lanes *s, Lanes *ds) const {
  // one distance after the other, as the table lies in memory, then all of them for each channel
  for (int j = 0; j < n; ++j) {
    double t, inverse_h;
    const double *knot = locate(r[j], t, inverse_h);
    const Weights weights(t);
    const Slopes slopes(t, inverse_h);
    for (int c = 0; c < n_padded_; c += kLanes) {
      Lanes value = broadcast(0.0), slope = value;
      for (int k = 0; k < 6; ++k) {
        const Lanes coefficient = load(knot + k * n_padded_ + c);
        value += weights.h[k] * coefficient;
        slope += slopes.h[k] * coefficient;
      }
      s[c + j] = value;
      ds[c + j] = slope;
    }
  }
  for (int c = 0; c < n_padded_; c += kLanes) {
    transpose(s + c);
    transpose(ds + c);
  }
}

}  // namespace soap_gpr
