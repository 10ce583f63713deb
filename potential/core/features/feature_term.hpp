// SPDX-License-Identifier: BSD-3-Clause
// What every term has in the model file whose energies are kernels of features of environments:
// which features are kept, the kernel, sparse points and weights.
#pragma once

#include <cstddef>
#include <vector>

#include "soap/kernel.hpp"

namespace soap_gpr {

/// Sparse points and weights of one centre species.
struct SparseSet {
  int size = 0;
  int rank = 0;                    ///< length of a point: n_features, or the projection's rows
  std::vector<double> points;      ///< [size][rank]
  std::vector<double> weights;     ///< [size]
  std::vector<double> projection;  ///< [rank][n_features]: y = P p̂ meets the points; empty: y = p̂
};

struct FeatureTerm {
  double cutoff = 0;
  int n_products = 0;                 ///< features that it may have, before the selection
  int n_features = 0;                 ///< after it
  std::vector<int> selection;         ///< [n_features] which of them, eq. (5a); empty: all
  std::vector<double> feature_scale;  ///< [n_features] that multiply the selected ones
  Kernel kernel;
  std::size_t n_weights = 0;
  std::vector<SparseSet> sparse;  ///< [species of the centre]
};

}  // namespace soap_gpr
