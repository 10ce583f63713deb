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

RadialTable::Places RadialTable::locate(const Lanes &r, int n) const {
  Places places{{}, broadcast(0.0), broadcast(1.0)};
  for (int j = 0; j < n; ++j) {
    double t, inverse_h;
    places.knot[j] = &knots_[std::size_t(grid_.locate(r[j], t, inverse_h)) * 3 * n_padded_];
    places.t[j] = t;
    places.inverse_h[j] = inverse_h;
  }
  return places;
}

void RadialTable::values(const Lanes &r, int n, double *s) const {
  const Places places = locate(r, n);
  const HermiteWeights<Lanes> weights(places.t);
  for (int j = 0; j < n; ++j, s += n_padded_)
    for (int c = 0; c < n_padded_; c += kLanes) {
      const double *knot = places.knot[j] + c;
      Lanes value = weights.h[0][j] * load(knot);
      for (int k = 1; k < 6; ++k) value += weights.h[k][j] * load(knot + k * n_padded_);
      store(s + c, value);
    }
}

void RadialTable::derivatives(const Lanes &r, int n, Lanes *s, Lanes *ds) const {
  const Places places = locate(r, n);
  const HermiteWeights<Lanes> weights(places.t);
  const HermiteSlopes<Lanes> slopes(places.t, places.inverse_h);
  // one distance after the other, as the table lies in memory, then all of them for each channel
  for (int j = 0; j < n; ++j)
    for (int c = 0; c < n_padded_; c += kLanes) {
      const double *knot = places.knot[j] + c;
      Lanes value = broadcast(0.0), slope = value;
      for (int k = 0; k < 6; ++k) {
        const Lanes coefficient = load(knot + k * n_padded_);
        value += weights.h[k][j] * coefficient;
        slope += slopes.h[k][j] * coefficient;
      }
      s[c + j] = value;
      ds[c + j] = slope;
    }
  for (int c = 0; c < n_padded_; c += kLanes) {
    transpose(s + c);
    transpose(ds + c);
  }
}

}  // namespace soap_gpr
