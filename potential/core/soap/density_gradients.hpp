// SPDX-License-Identifier: BSD-3-Clause
// Gradients of the features of a density.
#pragma once

#include "features/feature_gradients.hpp"
#include "soap/environment_block.hpp"

namespace soap_gpr {

/// Gradients of the density coefficients, added up over neighbours, are directions that the
/// representation takes derivatives along.
class DensityGradients : public FeatureGradients {
 public:
  /// The block outlives the object.
  DensityGradients(const SoapLayout &soap, EnvironmentBlock &block, std::size_t n_atoms);

  void compute(std::size_t center, const Environments &environments,
               AlignedVector &packed) override;

 private:
  void add_atom(std::size_t atom, int table);
  void add_pair(const Neighborhood::Batch &batch, int k, int slot);
  double *direction(std::size_t row) { return &directions_[row * soap_.density.n_coefficients]; }

  const SoapLayout &soap_;
  EnvironmentBlock &block_;
  std::vector<ChannelGroup> all_;  ///< all channels of each l
  std::vector<int> tables_;        ///< [slot] radial table of the atom; of the centre any
  AlignedVector dc_, directions_, scratch_;
};

}  // namespace soap_gpr
