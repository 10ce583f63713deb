// SPDX-License-Identifier: BSD-3-Clause
// Gradients of symmetry functions: first along every neighbour, then for atoms and strain.
#pragma once

#include "acsf/symmetry_block.hpp"

namespace soap_gpr {

class SymmetryGradients : public FeatureGradients {
 public:
  /// Both outlive the object.
  SymmetryGradients(const SymmetryFunctions &used, const SymmetryBlock &block, std::size_t n_atoms)
      : FeatureGradients(n_atoms), used_(used), block_(block), pair_(used) {}

  void compute(std::size_t center, const Environments &environments,
               AlignedVector &packed) override;

 private:
  /// along_[neighbour][3][n_features] = ∂p/∂r_ij
  void differentiate();

  const SymmetryFunctions &used_;
  const SymmetryBlock &block_;
  NeighborPair pair_;
  AlignedVector along_;
};

}  // namespace soap_gpr
