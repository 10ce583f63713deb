// SPDX-License-Identifier: GPL-2.0-only
// What a model says beside energies, and how large it says that its errors there are: values of
// atoms for fix pair, of the structure for compute pair.
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
  /// How many of these have a standard deviation: all or none.
  std::size_t n_of_errors() const { return has_members() ? structures_.size() : 0; }

  /// Before a step with so many atoms; whether the core has to compute anything, for an atom's
  /// flag that is set or for values of the structure or their errors.
  bool begin(std::size_t n_atoms, bool of_structures, bool errors_of_structures);
  /// What the core is to write of n centres.
  void ask(std::size_t n, soap_gpr::Outputs &outputs);
  /// Takes it up; center[n]: which atoms these are, species[n]: of what species.
  void add(const std::vector<std::size_t> &center, const int *species);
  /// This rank's parts of the values of structures and of their errors, which all ranks add up,
  /// where they are wanted.
  void finish(MPI_Comm world, double *values, double *errors) const;

  /// The flag "<name>_flag" of what there is of atoms, or null.
  int *flag(const std::string &name);
  /// The values [n_atoms] of this name, or null; nan at steps without its flag.
  double *of_atoms(const std::string &name);
  /// Why LAMMPS cannot have this of a target, with or without "_flag"; empty when it can, and of
  /// what is no target.
  std::string missing(const std::string &name) const;
  /// The names of the errors of atoms that there are, each after a space.
  std::string served_errors() const;
  double memory_usage() const;

 private:
  // named as the target and after it
  enum Measure { kValue, kUncertainty, kRigidity, kGrade, kMeasures };
  struct OfAtoms {
    std::size_t target;
    Measure measure;
    std::string name;
    int flag = 0;
    std::vector<double> values;
  };
  struct OfStructure {
    std::size_t target;
    double sum = 0;
    double weight = 0;            // of all centres
    std::vector<double> members;  // sums of their deviations
  };

  bool has_members() const { return !uncertainty_.target_scales.empty(); }
  bool has_variance() const { return !uncertainty_.target_variance_scales.empty(); }
  bool has(Measure measure) const;
  bool takes_variance(Measure measure) const;
  double value(const OfAtoms &own, std::size_t c, std::size_t n, int species) const;
  /// Deviations of members from a target's values, [member][n].
  const double *members(std::size_t target, std::size_t n) const {
    return &members_[target * uncertainty_.n_members * n];
  }

  std::vector<soap_gpr::Target> targets_;
  soap_gpr::Uncertainty uncertainty_;
  std::vector<OfAtoms> atoms_;
  std::vector<OfStructure> structures_;
  bool structures_wanted_ = false, errors_wanted_ = false;      // at this step
  bool wanted_[kMeasures] = {};                                 // of the core
  std::vector<double> buffer_, members_, variance_, rigidity_;  // of a block, as in Outputs
};

}  // namespace LAMMPS_NS
