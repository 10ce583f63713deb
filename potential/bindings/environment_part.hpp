// SPDX-License-Identifier: BSD-3-Clause
// Evaluations whose numbers between pairs would take too much memory run over parts of the centres.
#pragma once

#include <vector>

#include "soap_gpr.hpp"

/// Some centres of environments, as environments of their own.
struct EnvironmentPart {
  std::vector<std::size_t> offset, center;
  soap_gpr::Environments environments;

  EnvironmentPart(const soap_gpr::Environments &all, std::size_t begin, std::size_t end)
      : environments(all) {
    const std::size_t first = all.offset[begin];
    for (std::size_t i = begin; i <= end; ++i) offset.push_back(all.offset[i] - first);
    for (std::size_t i = begin; i < end; ++i) center.push_back(i);
    environments.n_atoms = end - begin;
    environments.species += begin;
    environments.offset = offset.data();
    environments.neighbor_species += first;
    environments.r_ij += first;
    environments.neighbor += first;
    environments.center = center.data();
  }
};

/// visit(part) for parts of so many pairs, or of one centre.
template <class Visit>
void for_parts(const soap_gpr::Environments &all, std::size_t most_pairs, Visit visit) {
  for (std::size_t begin = 0, end = 0; begin < all.n_atoms; begin = end) {
    for (++end; end < all.n_atoms && all.offset[end + 1] - all.offset[begin] <= most_pairs;) ++end;
    visit(EnvironmentPart(all, begin, end).environments);
  }
}
