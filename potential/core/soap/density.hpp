// SPDX-License-Identifier: BSD-3-Clause
// The expansion's tables and coefficients c^l[m][q] as the CPU runs them: rows of channels padded
// to whole vectors.
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
  std::vector<Channels> channels;            ///< [l_max + 1]
  std::vector<RadialTable> tables;           ///< [species of the neighbour]
  std::vector<std::vector<double>> central;  ///< [species of the centre][Q_0]
  SphericalHarmonics harmonics;
};

}  // namespace soap_gpr
