// SPDX-License-Identifier: BSD-3-Clause
#include "clusters/pair_term.hpp"

#include <cmath>

#include "base/distance.hpp"
#include "training/design_rows.hpp"

namespace soap_gpr {

namespace {

/// The six numbers of a function that decide its value at r, and how.
struct Stencil {
  std::size_t first;
  HermiteWeights<double> value;
  HermiteSlopes<double> slope;

  static Stencil at(const RadialGrid &grid, double r) {
    double t, inverse_h;
    const int knot = grid.locate(r, t, inverse_h);
    return {3 * std::size_t(knot), HermiteWeights<double>(t), HermiteSlopes<double>(t, inverse_h)};
  }
};

}  // namespace

void add_pair_term(const PairTerm &term, const Environments &environments, std::size_t n_species,
                   const std::size_t *centers, int n, const Outputs &outputs) {
  for (int c = 0; c < n; ++c) {
    const std::size_t i = centers[c];
    for (std::size_t k = environments.offset[i]; k < environments.offset[i + 1]; ++k) {
      const double *d = environments.r_ij[k], r = std::sqrt(squared_distance(d));
      const PairFunction &function = term.functions[pair_index(
          environments.species[i], environments.neighbor_species[k], n_species)];
      if (r >= function.grid.end()) continue;
      const Stencil stencil = Stencil::at(function.grid, r);
      double value = 0, slope = 0;
      for (int s = 0; s < 6; ++s) {
        value += stencil.value.h[s] * function.knots[stencil.first + s];
        slope += stencil.slope.h[s] * function.knots[stencil.first + s];
      }
      outputs.energies[i] += 0.5 * value;
      if (!outputs.f_ij) continue;
      for (int x = 0; x < 3; ++x) outputs.f_ij[k][x] -= 0.5 * slope * d[x] / r;
    }
  }
}

void add_pair_members(const PairTerm &term, const Environments &environments, std::size_t n_species,
                      std::size_t n_members, const std::size_t *centers, int n,
                      const Outputs &outputs) {
  const std::size_t n_atoms = environments.n_atoms, n_pairs = environments.offset[n_atoms];
  for (int own = 0; own < n; ++own) {
    const std::size_t i = centers[own];
    for (std::size_t k = environments.offset[i]; k < environments.offset[i + 1]; ++k) {
      const double *d = environments.r_ij[k], r = std::sqrt(squared_distance(d));
      const PairFunction &function = term.functions[pair_index(
          environments.species[i], environments.neighbor_species[k], n_species)];
      if (r >= function.grid.end() || function.members.empty()) continue;
      const Stencil stencil = Stencil::at(function.grid, r);
      for (std::size_t c = 0; c < n_members; ++c) {
        const double *knots = &function.members[c * function.knots.size() + stencil.first];
        double value = 0, slope = 0;
        for (int s = 0; s < 6; ++s) {
          value += stencil.value.h[s] * knots[s];
          slope += stencil.slope.h[s] * knots[s];
        }
        if (outputs.members) outputs.members[c * n_atoms + i] += 0.5 * value;
        if (!outputs.member_f_ij) continue;
        for (int x = 0; x < 3; ++x)
          outputs.member_f_ij[c * n_pairs + k][x] -= 0.5 * slope * d[x] / r;
      }
    }
  }
}

void pair_design(const PairTerm &term, std::size_t function, const Environments &environments,
                 std::size_t n_species, bool gradients, double *rows) {
  const RadialGrid &grid = term.functions[function].grid;
  DesignRows design(environments.n_atoms, 3 * std::size_t(grid.n_knots()), rows);
  for (std::size_t i = 0; i < environments.n_atoms; ++i)
    for (std::size_t k = environments.offset[i]; k < environments.offset[i + 1]; ++k) {
      const double *d = environments.r_ij[k], r = std::sqrt(squared_distance(d));
      const std::size_t own =
          pair_index(environments.species[i], environments.neighbor_species[k], n_species);
      if (own != function || r >= grid.end()) continue;
      const Stencil stencil = Stencil::at(grid, r);
      for (int s = 0; s < 6; ++s) {
        const std::size_t column = stencil.first + s;
        design.energy(column) += 0.5 * stencil.value.h[s];
        if (gradients)
          design.add_gradient(column, i, environments.neighbor[k], d, 0.5 * stencil.slope.h[s] / r);
      }
    }
}

}  // namespace soap_gpr
