// SPDX-License-Identifier: BSD-3-Clause
// Energy and forces of two atoms: dimer model.sgpr 8 1 0.97
#include <cstdio>
#include <cstdlib>
#include <soap_gpr/scatter.hpp>
#include <soap_gpr/soap_gpr.hpp>

int main(int argc, char **argv) try {
  if (argc != 5) throw soap_gpr::Error("expected: dimer MODEL Z Z DISTANCE");
  const auto model = soap_gpr::Model::from_file(argv[1]);
  const double r = std::atof(argv[4]);

  // Every atom is a centre with one neighbour, the other atom.
  const int species[2] = {model.species_index(std::atoi(argv[2])),
                          model.species_index(std::atoi(argv[3]))};
  if (species[0] < 0 || species[1] < 0) throw soap_gpr::Error("the model does not know the atoms");
  const std::size_t offset[3] = {0, 1, 2}, neighbor[2] = {1, 0};
  const int neighbor_species[2] = {species[1], species[0]};
  const double r_ij[2][3] = {{0, 0, r}, {0, 0, -r}};

  soap_gpr::Environments environments;
  environments.n_atoms = 2;
  environments.species = species;
  environments.offset = offset;
  environments.neighbor = neighbor;
  environments.neighbor_species = neighbor_species;
  environments.r_ij = r_ij;

  // What is not asked for is not computed; a model that shares energies has transfers as well.
  double energies[2], f_ij[2][3];
  soap_gpr::Transfer transfers[2];
  soap_gpr::Outputs outputs;
  outputs.energies = energies;
  outputs.f_ij = f_ij;
  if (model.shares_energy()) outputs.transfers = transfers;
  soap_gpr::Evaluator(model).evaluate(environments, outputs);

  double of_atoms[2] = {}, forces[2][3] = {};
  soap_gpr::scatter_to_arrays(environments, outputs, {of_atoms, forces});
  std::printf("%.17g\n", of_atoms[0] + of_atoms[1]);
  for (const auto &f : forces) std::printf("%.17g %.17g %.17g\n", f[0], f[1], f[2]);
} catch (const soap_gpr::Error &error) {
  std::fprintf(stderr, "dimer: %s\n", error.what());
  return 1;
}
