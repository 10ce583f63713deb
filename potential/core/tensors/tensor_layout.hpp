// SPDX-License-Identifier: BSD-3-Clause
// A tensor basis with the targets that stand on it as the CPU runs them, docs/theory.md eq. (26c).
#pragma once

#include "model_data.hpp"
#include "tensors/density_features.hpp"

namespace soap_gpr {

struct TensorLayout {
  /// The data and the layout of the term outlive the object.
  TensorLayout(const ModelData &data, std::size_t basis, const SoapLayout &own);

  /// Of a sparse set: the sparse points, which linear models do without.
  struct Set {
    int size = 0;          ///< of points
    AlignedVector points;  ///< [size][n_features] G p̂_m
  };
  /// Components of one λ and σ of a target.
  struct Part {
    const TensorTarget *target;
    const TensorTarget::Part *own;
    /// [set][n_vectors][n] v_mα of eq. (26c), or w_m of λ = 0 for n = 1; empty without weights.
    std::vector<AlignedVector> vectors;
  };

  const TensorBasis &basis;
  const SoapLayout &soap;
  std::vector<Equivariants> features;  ///< of the basis
  std::vector<Set> sets;
  std::vector<Part> parts;

  /// Whether the kernel has no sparse points, where ψ̂ is all that it takes.
  bool linear(const Part &part) const { return basis.zeta == 1 && part.own->features >= 0; }
  /// Rows of the vectors of a set.
  int n_vectors(const Part &part, std::size_t set) const {
    return linear(part) ? 1 : sets[set].size;
  }
  /// Products of a part, 1 of λ = 0.
  int n_products(const Part &part) const {
    return part.own->features < 0 ? 1 : features[part.own->features].size();
  }
  int max_products() const;
  int max_points() const;
};

}  // namespace soap_gpr
