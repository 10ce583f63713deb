// SPDX-License-Identifier: BSD-3-Clause
// Quintic Hermite tables of S^l_{a,q}(r), all channels of one neighbour species at once, or of all
// species that an alchemical map tells apart.
#pragma once

#include <string>
#include <vector>

#include "base/simd.hpp"
#include "soap/radial_grid.hpp"

namespace soap_gpr {

/// Channels that a table feeds for one l: [q_begin, q_begin + size) of the density channels,
/// stored at [offset, offset + padded(size)) of the table's output; the padding is zero.
struct ChannelGroup {
  int q_begin, size, offset;
};

class RadialTable {
 public:
  RadialTable() = default;
  /// values[n_knots][3][Σ size]: S, h S', h² S'' at every knot of every segment.
  RadialTable(const std::vector<Segment> &segments, std::vector<ChannelGroup> groups,
              const double *values);

  const std::vector<ChannelGroup> &groups() const { return groups_; }
  int n_padded() const { return n_padded_; }

  /// s[n][n_padded] at the first n of some distances 0 <= r <= cutoff.
  void values(const Lanes &r, int n, double *s) const;
  /// s[n_padded] and ds = dS/dr at n distances, lanes over distances; the lanes beyond n are not
  /// meant to be read.
  void derivatives(const Lanes &r, int n, Lanes *s, Lanes *ds) const;

 private:
  /// Where distances lie in the table.
  struct Places {
    const double *knot[kLanes];
    Lanes t, inverse_h;
  };
  Places locate(const Lanes &r, int n) const;

  RadialGrid grid_;
  std::vector<ChannelGroup> groups_;
  int n_padded_ = 0;
  AlignedVector knots_;  ///< [n_knots][3][n_padded]
};

}  // namespace soap_gpr
