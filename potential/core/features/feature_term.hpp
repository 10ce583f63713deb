// SPDX-License-Identifier: BSD-3-Clause
// What every term has in the model file whose energies are kernels of features of environments:
// which features are kept, the kernel, sparse points and weights.
#pragma once

#include <cstddef>
#include <vector>

#include "soap/kernel.hpp"

namespace soap_gpr {

/// Sparse points and weights of one centre species, or of all.
struct SparseSet {
  int size = 0;
  int rank = 0;                    ///< length of a point: n_features, or the projection's rows
  std::vector<double> points;      ///< [size][rank], times R where features are recoupled
  std::vector<double> weights;     ///< [size]
  std::vector<double> projection;  ///< [rank][n_features]: y = P p̂ meets the points; empty: y = p̂
  std::vector<int> species;        ///< [size] of the points; empty: that of the centre
  std::vector<std::vector<double>> coupling;  ///< [of the centre][of the point] κ_c; empty: 1
  std::vector<std::size_t> targets;    ///< places of those that the term has a part in, eq. (23)
  std::vector<double> target_weights;  ///< [targets][size] units of the targets per eV²
  std::vector<double> members;         ///< [n_members][size] of the weights, or empty
  std::vector<double> target_members;  ///< [targets][n_members][size] of theirs, or empty
};

/// Which products are features.
struct FeatureChoice {
  int n_features = 0;
  std::vector<int> products;   ///< [n_features] their places, eq. (5a); empty: all
  std::vector<double> scales;  ///< [n_features] that multiply the chosen ones
  std::vector<double> metric;  ///< [n_features]² G of recoupled features, eq. (5j), or empty

  int product(int feature) const { return products.empty() ? feature : products[feature]; }
  double scale(int feature) const { return products.empty() ? 1 : scales[feature]; }
};

struct FeatureTerm {
  double cutoff = 0;
  int n_products = 0;                  ///< features that it may have
  std::vector<FeatureChoice> choices;  ///< that of all centres, or of each species, eq. (5p)
  Kernel kernel;
  std::size_t n_weights = 0;
  bool shared_set = false;        ///< one sparse set serves the centres of all species, eq. (7d)
  std::vector<SparseSet> sparse;  ///< [species of the centre], or the one set

  std::size_t set_of(int center_species) const { return shared_set ? 0 : center_species; }
  std::size_t choice_of(int center_species) const {
    return choices.size() > 1 ? center_species : 0;
  }
  const FeatureChoice &choice(int center_species) const {
    return choices[choice_of(center_species)];
  }
};

}  // namespace soap_gpr
