// SPDX-License-Identifier: BSD-3-Clause
// Terms of features, evaluated: one thread's memory for one of them.
#pragma once

#include <memory>
#include <vector>

#include "features/feature_layout.hpp"
#include "tensors/tensor_workspace.hpp"
#include "uncertainty/variance.hpp"

namespace soap_gpr {

constexpr int kBlock = 48;  ///< centres per block: the sparse points are read once for all of them

class FeatureWorkspaces {
 public:
  FeatureWorkspaces();
  ~FeatureWorkspaces();
  FeatureWorkspaces(FeatureWorkspaces &&) noexcept;

  /// Adds what is asked for of n centres that one sparse set serves; energies are not null.
  /// tensors: of a soap term whose density vectors and tensors take, which are asked for, or null.
  void evaluate(const FeatureLayout &layout, const Environments &environments,
                const std::size_t *centers, int n, const VariancePart &variance,
                TensorWorkspace *tensors, const Outputs &outputs);

 private:
  class Workspace;
  Workspace &prepared(const FeatureLayout &layout, std::size_t choice);

  std::vector<std::unique_ptr<Workspace>> of_choices_;  ///< [choice of features]
};

}  // namespace soap_gpr
