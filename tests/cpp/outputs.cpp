// SPDX-License-Identifier: BSD-3-Clause
// Every output by itself is what it is beside the others: outputs MODEL, species 0 and 1. Prints
// the name of one that is not.
#include <cstdio>
#include <cstring>
#include <soap_gpr/soap_gpr.hpp>

using namespace soap_gpr;

struct Values {
  double energies[2] = {7, 7}, f_ij[2][3] = {};
  Transfer transfers[2] = {};
};

int main(int, char **argv) try {
  const Model model = Model::from_file(argv[1]);
  const int species[2] = {0, 1}, neighbor_species[2] = {1, 0};
  const std::size_t offset[3] = {0, 1, 2};
  const double r_ij[2][3] = {{0.3, 0.2, 1.1}, {-0.3, -0.2, -1.1}};
  Environments environments;
  environments.n_atoms = 2;
  environments.species = species;
  environments.offset = offset;
  environments.neighbor_species = neighbor_species;
  environments.r_ij = r_ij;

  Values all, one;
  Profile profile;
  Evaluator evaluator(model), other(model, 2);
  evaluator.evaluate(environments, {all.energies, all.f_ij, all.transfers, &profile});
  evaluator.evaluate(environments, {one.energies, nullptr, nullptr, nullptr});
  other.evaluate(environments, {nullptr, one.f_ij, nullptr, nullptr});
  other.evaluate(environments, {nullptr, nullptr, nullptr, nullptr});
  for (int i = 0; i < 2; ++i) {
    const double difference = one.energies[i] - all.energies[i];
    if (!(difference * difference < 1e-20)) return std::puts("energies"), 1;
  }
  if (std::memcmp(one.f_ij, all.f_ij, sizeof one.f_ij)) return std::puts("f_ij"), 1;
  if (!(all.f_ij[0][2] * all.f_ij[0][2] > 0)) return std::puts("no force"), 1;
  if (!(profile.expansion > 0)) return std::puts("profile"), 1;
} catch (const Error &error) {
  return std::puts(error.what()), 1;
}
