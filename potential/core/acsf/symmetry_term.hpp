// SPDX-License-Identifier: BSD-3-Clause
// A term of Behler-Parrinello symmetry functions as it is in the model file, docs/theory.md eq.
// (5k) to (5n).
#pragma once

#include <array>
#include <vector>

#include "features/feature_term.hpp"

namespace soap_gpr {

struct SymmetryTerm : FeatureTerm {
  int n_species = 0;
  bool g1 = false;                        ///< the sum of the cutoff function
  std::vector<std::array<double, 2>> g2;  ///< η in 1/Å², r_s in Å
  std::vector<double> g3;                 ///< κ in 1/Å
  std::vector<std::array<double, 3>> g4;  ///< η in 1/Å², ζ, λ; with f_c(r_jk)
  std::vector<std::array<double, 3>> g5;  ///< the same without r_jk

  /// Functions of one neighbour and of two, of each species or pair of species.
  std::size_t n_radial() const { return g1 + g2.size() + g3.size(); }
  std::size_t n_angular() const { return g4.size() + g5.size(); }
};

/// Place of a pair of species a, b among all: (0, 0), (0, 1), (1, 1), (0, 2), ....
inline std::size_t species_pair(std::size_t a, std::size_t b) {
  return a < b ? b * (b + 1) / 2 + a : a * (a + 1) / 2 + b;
}

}  // namespace soap_gpr
