// SPDX-License-Identifier: BSD-3-Clause
// Kernels between the energy of one centre and the sparse points of pairs and triplets,
// docs/theory.md eq. (20) and (22c).
#pragma once

#include <vector>

#include "clusters/triplet_term.hpp"
#include "uncertainty/variance_data.hpp"

namespace soap_gpr {

/// k[points of the pairs with the centre's species] of centre i, added.
void add_pair_kernels(const PairTerm &term, const std::vector<PairPoints> &functions,
                      const Environments &environments, std::size_t n_species, std::size_t i,
                      double *k);

/// k[points of the triplets around the centre's species] of centre i, added. neighbors: memory.
void add_triplet_kernels(const TripletTerm &term, const std::vector<TripletTables> &functions,
                         const Environments &environments, std::size_t n_species, std::size_t i,
                         std::vector<TripletNeighbor> &neighbors, double *k);

}  // namespace soap_gpr
