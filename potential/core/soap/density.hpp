// SPDX-License-Identifier: BSD-3-Clause
// The expansion's tables and coefficients c^l[m][q] as the CPU runs them: rows of channels padded
// to whole vectors. With an alchemical map all pseudo-species have the channels of one table, one
// block after the other, docs/theory.md eq. (3e).
#pragma once

#include <vector>

#include "soap/radial_table.hpp"
#include "soap/soap_term.hpp"
#include "soap/spherical_harmonics.hpp"

namespace soap_gpr {

/// Where the channels of one l lie in an environment's expansion coefficients c[n_coefficients].
struct Channels {
  int size;    ///< Q_l
  int stride;  ///< row length of c^l[m][q], a multiple of kLanes
  int offset;  ///< of c^l[0][0]
};

struct Density {
  explicit Density(const SoapTerm &term);

  double cutoff;
  int l_max;
  int n_coefficients = 0;
  std::vector<Channels> channels;   ///< [l_max + 1]
  std::vector<RadialTable> tables;  ///< what neighbours feed, before a map
  std::vector<int> table_of;        ///< [species of the neighbour]
  AlchemicalMap map;
  std::vector<std::vector<ChannelGroup>> fed;  ///< [table] channels that its neighbours feed
  std::vector<std::vector<double>> central;    ///< [species of the centre][Q_0]
  SphericalHarmonics harmonics;
};

}  // namespace soap_gpr
