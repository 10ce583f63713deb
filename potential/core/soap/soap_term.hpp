// SPDX-License-Identifier: BSD-3-Clause
// A soap term as it is in the model file, docs/theory.md section 2. How a processor wants it laid
// out is for its evaluator to say: soap_layout.hpp is that of the CPU.
#pragma once

#include <string>
#include <vector>

#include "soap/kernel.hpp"
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

/// Sparse points and weights of one centre species, or of all.
struct SparseSet {
  int size = 0;
  int rank = 0;                    ///< length of a point: n_features, or the projection's rows
  std::vector<double> points;      ///< [size][rank]
  std::vector<double> weights;     ///< [size]
  std::vector<double> projection;  ///< [rank][n_features]: y = P p̂ meets the points; empty: y = p̂
  std::vector<int> species;        ///< [size] of the points; empty: that of the centre
  std::vector<std::vector<double>> coupling;  ///< [of the centre][of the point] κ_c; empty: 1
};

struct SoapTerm {
  double cutoff = 0;
  int l_max = 0;
  std::vector<int> n_channels;  ///< [l_max + 1] Q_l
  std::vector<Segment> segments;
  std::vector<SpeciesDensity> densities;  ///< [table]
  std::vector<int> table_of;              ///< [species] the table of a species
  AlchemicalMap map;
  std::string representation;         ///< its name, see representations.cpp
  int n_products = 0;                 ///< features of the representation, before the selection
  int n_features = 0;                 ///< after it
  std::vector<int> selection;         ///< [n_features] which products, eq. (5a); empty: all
  std::vector<double> feature_scale;  ///< [n_features] that multiply the selected products
  Kernel kernel;
  std::size_t n_weights = 0;
  bool shared_set = false;        ///< one sparse set serves the centres of all species, eq. (7d)
  std::vector<SparseSet> sparse;  ///< [species of the centre], or the one set

  std::size_t set_of(int center_species) const { return shared_set ? 0 : center_species; }
};

}  // namespace soap_gpr
