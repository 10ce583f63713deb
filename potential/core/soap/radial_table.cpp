// SPDX-License-Identifier: BSD-3-Clause
#include "soap/radial_table.hpp"

#include <algorithm>

namespace soap_gpr {

RadialTable::RadialTable(const std::vector<Segment> &segments, std::vector<ChannelGroup> groups,
                         const double *values)
    : grid_(segments), groups_(std::move(groups)) {
  for (const ChannelGroup &g : groups_) n_padded_ = std::max(n_padded_, g.offset + padded(g.size));
  knots_.assign(std::size_t(grid_.n_knots()) * 3 * n_padded_, 0.0);
  for (int row = 0; row < 3 * grid_.n_knots(); ++row)
    for (const ChannelGroup &g : groups_) {
      std::copy(values, values + g.size, &knots_[std::size_t(row) * n_padded_ + g.offset]);
      values += g.size;
    }
}

const double *RadialTable::locate(double r, double &t, double &inverse_h) const {
  return &knots_[std::size_t(grid_.locate(r, t, inverse_h)) * 3 * n_padded_];
}

void RadialTable::values(double r, double *s) const {
  double t, inverse_h;
  const double *knot = locate(r, t, inverse_h);
  const HermiteWeights weights(t);
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
    const HermiteWeights weights(t);
    const HermiteSlopes slopes(t, inverse_h);
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
