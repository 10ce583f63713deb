// SPDX-License-Identifier: BSD-3-Clause
// A soap term as it is in the model file, docs/theory.md section 2. How a processor wants it laid
// out is for its evaluator to say: soap_layout.hpp is that of the CPU.
#pragma once

#include <string>
#include <vector>

#include "features/feature_term.hpp"
#include "soap/radial_grid.hpp"

namespace soap_gpr {

constexpr int kMaxL = 30;  ///< largest l_max that a model file may ask for

/// What a species feeds into the channels of the density as a neighbour, and as the centre; of a
/// term with an alchemical map, what all species of one table feed before the map, eq. (3e).
struct SpeciesDensity {
  std::vector<int> channel_begin, channel_end;  ///< [l_max + 1] of a neighbour
  std::vector<double> table;    ///< [n_knots][3][Σ_l (end - begin)]: S, h S', h² S'', eq. (3c)
  std::vector<double> central;  ///< [Q_0] of the centre, [n_0] before the map
};

/// The map of eq. (3d): species a weighs u_Ja in the pseudo-species J.
struct AlchemicalMap {
  int dimensions = 0;           ///< d_J; 0: there is no map
  std::vector<double> weights;  ///< [species][d_J] u_Ja

  const double *of(int species) const { return &weights[std::size_t(species) * dimensions]; }
};

struct SoapTerm : FeatureTerm {
  int l_max = 0;
  std::vector<int> n_channels;  ///< [l_max + 1] Q_l
  std::vector<Segment> segments;
  std::vector<SpeciesDensity> densities;  ///< [table]
  std::vector<int> table_of;              ///< [species] the table of a species
  AlchemicalMap map;
  std::string representation;  ///< its name, see representations.cpp
  bool odd_products = false;   ///< of a bispectrum: also those that inversion negates
};

}  // namespace soap_gpr
