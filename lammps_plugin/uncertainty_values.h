// SPDX-License-Identifier: GPL-2.0-only
// What a model says of its own errors: values of atoms for fix pair, of the structure for compute
// pair, each computed at the steps alone at which somebody asks.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <string>
#include <vector>

#include "soap_gpr.hpp"

namespace LAMMPS_NS {

class UncertaintyValues {
 public:
  void set_up(const soap_gpr::Model &model);

  /// Standard deviation of the energy, and the largest of an atom's force.
  std::size_t n_of_structures() const { return n_members_ ? 2 : 0; }
  /// Numbers of an atom that forces of members bring home from ghosts.
  int comm_reverse() const { return int(3 * n_members_); }

  /// Before a step with so many atoms, ghosts included in n_all.
  void begin(std::size_t n_local, std::size_t n_all, bool of_structures);
  /// Where the core writes those of a block; whether anything is asked for.
  bool ask(const soap_gpr::Environments &environments, soap_gpr::Outputs &outputs);
  /// Takes up those of a block; scale: of every centre, energy units per eV.
  void add(const soap_gpr::Environments &environments, const std::vector<double> &scale);
  /// Whether the forces of members have to be brought home before `finish`.
  bool has_ghost_forces() const { return forces_wanted_; }
  int pack_forces(int n, int first, double *buffer);
  void add_forces(int n, const int *list, const double *buffer);
  /// After the step. The parts of this rank, which all ranks add up, where they are wanted.
  void finish(MPI_Comm world, double *parts);

  /// The flag "<name>_flag" of a measure of atoms, or null.
  int *flag(const std::string &name);
  /// The values of a measure of atoms, or null: [n_atoms], or rows [n_atoms][n_columns]; nan at
  /// steps without its flag.
  void *of_atoms(const std::string &name, int &n_columns);
  /// Why the model does not have the measure of this name, with or without "_flag"; empty when it
  /// does, and of what is no measure.
  std::string missing(const std::string &name) const;
  /// The names of those that it has, each after a space.
  std::string served() const;
  double memory_usage() const;

 private:
  enum Measure { kEnergy, kForce, kVariance, kRigidity, kGrade, kMeasures };
  struct OfAtoms {
    int flag = 0;
    std::vector<double> values;
    std::vector<double *> rows;  // of three columns
  };

  bool serves(Measure measure) const;
  double *member_forces(std::size_t atom) { return &member_forces_[3 * n_members_ * atom]; }
  bool wants(Measure measure) const { return of_atoms_[measure].flag; }
  void set(Measure measure, std::size_t atom, double value);
  void add_pair_forces(const soap_gpr::Environments &environments,
                       const std::vector<double> &scale);

  soap_gpr::Uncertainty of_model_;
  std::size_t n_members_ = 0, n_local_ = 0;
  OfAtoms of_atoms_[kMeasures];
  bool structure_wanted_ = false, energies_wanted_ = false, forces_wanted_ = false;
  bool variance_wanted_ = false;
  std::vector<double> member_energies_;                       // [member] of this rank
  std::vector<double> member_forces_;                         // [atom][member][3]
  std::vector<double> members_, f_ij_, variance_, rigidity_;  // of a block, as in Outputs
};

}  // namespace LAMMPS_NS
