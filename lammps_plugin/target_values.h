// SPDX-License-Identifier: GPL-2.0-only
// What a model says beside energies: values of atoms for fix pair, of the structure for compute
// pair.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <string>
#include <vector>

#include "soap_gpr.hpp"

namespace LAMMPS_NS {

class TargetValues {
 public:
  void set_up(const soap_gpr::Model &model);

  std::size_t n_of_structures() const { return structures_.size(); }
  /// Before a step with so many atoms; whether the core has to compute the targets, for an atom's
  /// flag that is set or for the structure.
  bool begin(std::size_t n_atoms, bool of_structures);
  /// Where the core writes those of n centres.
  double *buffer(std::size_t n);
  /// Takes them up; center[n]: which atoms these are, species[n]: of what species.
  void add(const std::vector<std::size_t> &center, const int *species);
  /// This rank's part of the values of structures, which all ranks add up.
  void finish(MPI_Comm world, double *parts) const;

  /// The flag "<name>_flag" of a target of atoms, or null.
  int *flag(const std::string &name);
  /// The values [n_atoms] of a target of atoms, or null; nan at steps without its flag.
  double *of_atoms(const std::string &name);
  /// Whether this, or this without "_flag", is a target that LAMMPS cannot have.
  bool is_of_kernel(const std::string &name) const;
  double memory_usage() const;

 private:
  struct OfAtoms {
    std::size_t target;
    int flag = 0;
    std::vector<double> values;
  };
  struct OfStructure {
    std::size_t target;
    double sum = 0;
    double weight = 0;  // of all centres
  };

  std::vector<soap_gpr::Target> targets_;
  std::vector<OfAtoms> atoms_;
  std::vector<OfStructure> structures_;
  std::vector<double> buffer_;  // [target][centre]
};

}  // namespace LAMMPS_NS
