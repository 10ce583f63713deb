// SPDX-License-Identifier: BSD-3-Clause
// Gradients of one centre's features with respect to every atom it sees and to strain, for the rows
// of the regression.
#pragma once

#include <cstddef>
#include <vector>

#include "base/simd.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

class FeatureGradients {
 public:
  explicit FeatureGradients(std::size_t n_atoms) : slot_(n_atoms, -1) {}
  virtual ~FeatureGradients() = default;

  /// packed[n_rows][n_features], of the only centre of the block that made the object, which has
  /// its features; before they are normalised.
  virtual void compute(std::size_t center, const Environments &environments,
                       AlignedVector &packed) = 0;

  /// Atoms with a non-zero gradient; rows 3s..3s+2 of `packed` belong to atoms()[s], six rows of
  /// virial follow.
  const std::vector<std::size_t> &atoms() const { return atoms_; }
  std::size_t n_rows() const { return 3 * atoms_.size() + 6; }

 protected:
  /// Forgets all atoms.
  void clear() {
    for (std::size_t atom : atoms_) slot_[atom] = -1;
    atoms_.clear();
  }
  /// Whether the atom is new.
  bool add_atom(std::size_t atom) {
    if (slot_[atom] >= 0) return false;
    slot_[atom] = int(atoms_.size());
    atoms_.push_back(atom);
    return true;
  }
  int slot(std::size_t atom) const { return slot_[atom]; }

 private:
  std::vector<int> slot_;  ///< [n_atoms] row triple of an atom, or -1
  std::vector<std::size_t> atoms_;
};

}  // namespace soap_gpr
