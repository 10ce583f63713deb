// SPDX-License-Identifier: BSD-3-Clause
// Pair terms, docs/theory.md eq. (20): one spline of the distance for every pair of species.
#pragma once

#include <cstddef>
#include <vector>

#include "soap/radial_grid.hpp"
#include "soap_gpr.hpp"

namespace soap_gpr {

/// V(r) in eV, zero from grid.end() on.
struct PairFunction {
  RadialGrid grid;
  std::vector<double> knots;    ///< [n_knots][3]: V, h V', h² V''
  std::vector<double> members;  ///< [n_members][n_knots][3] of a fitted function, or empty
};

struct PairTerm {
  double cutoff = 0;
  std::size_t n_weights = 0;
  std::vector<PairFunction> functions;  ///< [pair_index]
};

/// Place of an unordered pair of species in the order 00, 01, ..., 11, 12, ...
constexpr std::size_t pair_index(std::size_t a, std::size_t b, std::size_t n_species) {
  const std::size_t low = a < b ? a : b, high = a < b ? b : a;
  return low * n_species - low * (low + 1) / 2 + high;
}

/// Adds ε_i of some centres to the energies, which are not null, and -∂ε_i/∂r_ij to f_ij. Throws
/// Error when two atoms are at the same place.
void add_pair_term(const PairTerm &term, const Environments &environments, std::size_t n_species,
                   const std::size_t *centers, int n, const Outputs &outputs);

/// Adds what members of a committee deviate by: energies and forces, those that are asked for.
void add_pair_members(const PairTerm &term, const Environments &environments, std::size_t n_species,
                      std::size_t n_members, const std::size_t *centers, int n,
                      const Outputs &outputs);

/// Rows of one structure whose product with the knots of one function gives its energy, forces and
/// virial: rows[1 + 3 n_atoms + 6][3 n_knots], or only the first without gradients.
void pair_design(const PairTerm &term, std::size_t function, const Environments &environments,
                 std::size_t n_species, bool gradients, double *rows);

}  // namespace soap_gpr
