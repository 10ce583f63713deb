// SPDX-License-Identifier: BSD-3-Clause
// Vectors and tensors as they are in the model file, docs/theory.md eq. (26) to (26d).
#pragma once

#include <cstddef>
#include <vector>

namespace soap_gpr {

constexpr int kMaxLambda = 4;

/// The products of density channels that are kept of one λ and σ.
struct TensorFeatures {
  int lambda = 0, sigma = 1;
  std::vector<int> products;  ///< [n][4] l, q, l', q' with (l, q) <= (l', q')

  std::size_t size() const { return products.size() / 4; }
};

/// Sparse environments and features that tensors stand on.
struct TensorBasis {
  struct Set {
    int size = 0;
    std::vector<double> densities;  ///< [size][n_density] c of eq. (3), one l after the other
    std::vector<int> species;       ///< [size] of shared sets; else that of the centre
  };
  std::size_t term = 0;  ///< of kind soap
  int zeta = 1;
  std::vector<TensorFeatures> features;
  std::vector<Set> sets;  ///< as the sparse sets of the term
};

/// What stands on it: the weights of a target.
struct TensorTarget {
  struct Part {
    int lambda = 0, sigma = 1;
    int features = -1;                         ///< of the basis; -1: those of the term, for λ = 0
    int begin = 0;                             ///< place of its first spherical component
    std::vector<std::vector<double>> weights;  ///< [set][size][2λ + 1]; empty: all are zero
  };
  std::size_t target = 0, basis = 0;
  std::size_t row = 0;  ///< of Outputs::tensors
  int n_spherical = 0;
  std::vector<Part> parts;
  std::vector<double> cartesian;  ///< B of eq. (26d): [n_components][n_spherical]
  std::vector<double> mean;       ///< [species] of λ = 0; nan for atoms that have no value
};

}  // namespace soap_gpr
