// SPDX-License-Identifier: BSD-3-Clause
// Gradients of one centre's features, for the rows of the regression.
#pragma once

#include <cstddef>
#include <vector>

#include "soap/environment_block.hpp"

namespace soap_gpr {

/// Gradients of one centre's features with respect to every atom it sees and to strain: those of
/// its density coefficients, added up over neighbours, are directions that the representation takes
/// derivatives along.
class FeatureGradients {
 public:
  FeatureGradients(const SoapLayout &soap, std::size_t n_atoms);

  /// Atoms with a non-zero gradient; rows 3s..3s+2 of `packed` belong to atoms()[s], six rows of
  /// virial follow.
  const std::vector<std::size_t> &atoms() const { return atoms_; }
  std::size_t n_rows() const { return 3 * atoms_.size() + 6; }

  /// packed[n_rows][n_features], of the only centre of a block that has its features.
  void compute(EnvironmentBlock &block, std::size_t center, const Environments &environments,
               AlignedVector &packed);

 private:
  void add_atom(std::size_t atom, int table);
  void add_pair(const Neighborhood::Batch &batch, int k, int slot);
  double *direction(std::size_t row) { return &directions_[row * soap_.density.n_coefficients]; }

  const SoapLayout &soap_;
  std::vector<ChannelGroup> all_;  ///< all channels of each l
  std::vector<int> slot_;          ///< [n_atoms] row triple of an atom, or -1
  std::vector<std::size_t> atoms_;
  std::vector<int> tables_;  ///< [slot] radial table of the atom; of the centre any
  AlignedVector dc_, directions_, scratch_;
};

}  // namespace soap_gpr
