// SPDX-License-Identifier: BSD-3-Clause
#include "uncertainty/cluster_kernels.hpp"

#include <cmath>

#include "base/distance.hpp"

namespace soap_gpr {

void add_pair_kernels(const PairTerm &term, const std::vector<PairPoints> &functions,
                      const Environments &environments, std::size_t n_species, std::size_t i,
                      double *k) {
  const int a = environments.species[i];
  std::vector<std::size_t> begin(n_species);  // of the pair with each species of the neighbour
  for (std::size_t b = 0, next = 0; b < n_species; ++b) {
    begin[b] = next;
    next += functions[pair_index(a, b, n_species)].size;
  }
  for (std::size_t at = environments.offset[i]; at < environments.offset[i + 1]; ++at) {
    const int b = environments.neighbor_species[at];
    const std::size_t p = pair_index(a, b, n_species), size = functions[p].size;
    const double r = std::sqrt(squared_distance(environments.r_ij[at]));
    const RadialGrid &grid = term.functions[p].grid;
    if (r >= grid.end()) continue;
    double t, inverse_h;
    const double *knots = &functions[p].knots[3 * std::size_t(grid.locate(r, t, inverse_h)) * size];
    const HermiteWeights<double> weights(t);
    for (int s = 0; s < 6; ++s, knots += size)
      for (std::size_t m = 0; m < size; ++m) k[begin[b] + m] += 0.5 * weights.h[s] * knots[m];
  }
}

void add_triplet_kernels(const TripletTerm &term, const std::vector<TripletTables> &functions,
                         const Environments &environments, std::size_t n_species, std::size_t i,
                         std::vector<TripletNeighbor> &neighbors, double *k) {
  gather_triplets(term, environments, i, neighbors);
  const std::size_t a = environments.species[i];
  for (std::size_t b = 0; b < n_species; ++b)
    for (std::size_t c = b; c < n_species; ++c) {
      const TripletTables &own = functions[triplet_index(a, b, c, n_species)];
      const TripletPoints points{own.size, own.first.data(), own.second.data(), own.third.data()};
      if (own.size) add_point_energies(term, points, neighbors, b, c, k);
      k += own.size;
    }
}

}  // namespace soap_gpr
