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

/// What a species feeds into the channels of the density as a neighbour, and as the centre.
struct SpeciesDensity {
  std::vector<int> channel_begin, channel_end;  ///< [l_max + 1] of a neighbour
  std::vector<double> table;    ///< [n_knots][3][Σ_l (end - begin)]: S, h S', h² S'', eq. (3c)
  std::vector<double> central;  ///< [Q_0] of the centre
};

/// Sparse points and weights of one centre species.
struct SparseSet {
  int size = 0;
  int rank = 0;                    ///< length of a point: n_features, or the projection's rows
  std::vector<double> points;      ///< [size][rank]
  std::vector<double> weights;     ///< [size]
  std::vector<double> projection;  ///< [rank][n_features]: y = P p̂ meets the points; empty: y = p̂
};

struct SoapTerm {
  double cutoff = 0;
  int l_max = 0;
  std::vector<int> n_channels;  ///< [l_max + 1] Q_l
  std::vector<Segment> segments;
  std::vector<SpeciesDensity> species;
  std::string representation;         ///< its name, see representations.cpp
  bool odd_products = false;          ///< of a bispectrum: also those that inversion negates
  int n_products = 0;                 ///< features of the representation, before the selection
  int n_features = 0;                 ///< after it
  std::vector<int> selection;         ///< [n_features] which products, eq. (5a); empty: all
  std::vector<double> feature_scale;  ///< [n_features] that multiply the selected products
  Kernel kernel;
  std::size_t n_weights = 0;
  std::vector<SparseSet> sparse;  ///< [species of the centre]
};

}  // namespace soap_gpr
